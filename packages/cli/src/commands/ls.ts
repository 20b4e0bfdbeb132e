import { isEnded, printableLine, type SessionQuery, type SessionSummary } from '@turnstore/core'
import { Command, InvalidArgumentError } from 'commander'
import stringWidth from 'string-width'
import { type Cli, jsonText } from '../terminal/cli.js'
import { scopeOf, storeOption, workspaceOption } from '../terminal/options.js'

interface LsOptions {
  readonly store?: string
  readonly workspace?: string
  readonly agent?: string
  readonly limit?: number
  readonly ended?: boolean
  readonly json?: true
}

export function lsCommand(cli: Cli): Command {
  return new Command('ls')
    .description('list sessions, most recently changed first')
    .addOption(storeOption())
    .addOption(workspaceOption('only sessions in this workspace'))
    .option('--agent <id>', 'only sessions of this agent')
    .option('--ended', 'only ended sessions')
    .option('--no-ended', 'only sessions that have not ended')
    .option('--limit <n>', 'list at most n sessions', wholeNumber)
    .option('--json', 'print an array of summaries')
    .addHelpText(
      'after',
      `
Examples:
  $ turnstore ls --store sqlite:./sessions.db
  $ turnstore ls --workspace acme --limit 20
  $ turnstore ls --json | jq -r '.[].sessionId'`,
    )
    .action(async (options: LsOptions) => {
      const store = await cli.open(options.store, '--store')
      const query: SessionQuery = {
        ...scopeOf(options),
        ...(options.agent === undefined ? {} : { agentId: options.agent }),
        ...(options.ended === undefined ? {} : { ended: options.ended }),
      }
      const sessions = take(store.sessions(query), options.limit ?? Infinity)
      await (options.json === true ? printArray(cli, sessions) : printTable(cli, sessions))
    })
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return number
}

async function* take<T>(items: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let taken = 0
  for await (const item of items) {
    yield item
    if (++taken >= limit) return
  }
}

/** Closes the array even if the listing fails, so that the output is valid JSON. */
async function printArray(cli: Cli, sessions: AsyncIterable<SessionSummary>): Promise<void> {
  let separator = '[\n'
  try {
    for await (const session of sessions) {
      await cli.print(separator + jsonText(session))
      separator = ',\n'
    }
  } finally {
    await cli.print(separator === '[\n' ? '[]\n' : '\n]\n')
  }
}

const HEADINGS = ['SESSION', 'WORKSPACE', 'AGENT', 'TURNS', 'UPDATED', '']

/** Column widths are computed over this many rows at a time. */
const ROWS_AT_ONCE = 1000

async function printTable(cli: Cli, sessions: AsyncIterable<SessionSummary>): Promise<void> {
  let rows: string[][] = [HEADINGS]
  const widths = HEADINGS.map(() => 0)
  const flush = async (): Promise<void> => {
    for (const row of rows)
      for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, stringWidth(cell))
    for (const row of rows)
      await cli.print(
        `${row
          .map((cell, column) => pad(cell, widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
      )
    rows = []
  }
  let isEmpty = true
  try {
    for await (const session of sessions) {
      isEmpty = false
      rows.push(rowOf(session))
      if (rows.length >= ROWS_AT_ONCE) await flush()
    }
  } finally {
    if (!isEmpty) await flush()
  }
  if (isEmpty) cli.note('No sessions.')
}

function rowOf(session: SessionSummary): string[] {
  const { sessionId, workspaceId, agentId, turnCount, updatedAt } = session
  return [
    sessionId,
    workspaceId ?? '-',
    agentId ?? '-',
    String(turnCount),
    updatedAt || '-',
    isEnded(session) ? 'ended' : '',
  ].map(printableLine)
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)))
}
