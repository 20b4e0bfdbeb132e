import type { SessionQuery, SessionSummary } from '@turnstore/core'
import { Command } from 'commander'
import { sessionTable } from '../output/session-table.js'
import { summaryJson } from '../output/summary-json.js'
import { type Cli, jsonText } from '../terminal/cli.js'
import { metadataOf, scopeOf, storeOption, whereOption, wholeNumber, workspaceOption } from '../terminal/options.js'

interface LsOptions {
  readonly store?: string
  readonly workspace?: string
  readonly agent?: string
  readonly status?: string
  readonly where?: readonly string[]
  readonly limit?: number
  readonly count?: true
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
    .option(
      '--status <status>',
      'only sessions whose last turn has this status, such as running, success, error, cancelled or interrupted',
    )
    .addOption(whereOption())
    .option('--limit <n>', 'list at most n sessions', wholeNumber)
    .option('--count', 'print only the number of sessions')
    .option('--json', 'print an array of summaries')
    .addHelpText(
      'after',
      `
Shows the status and the beginning of the prompt of the last turn. The title is the metadata member "title", which
turnstore rename sets. On a terminal, columns that do not fit are left out. Sessions
without a time come last.

Examples:
  $ turnstore ls --store sqlite:./sessions.db
  $ turnstore ls --workspace acme --limit 20
  $ turnstore ls --status running --count
  $ turnstore ls --where channel=web --where score:=3
  $ turnstore ls --json | jq -r '.[].session_id'`,
    )
    .action(async (options: LsOptions) => {
      const query: SessionQuery = {
        ...scopeOf(options),
        ...(options.agent === undefined ? {} : { agentId: options.agent }),
        ...(options.ended === undefined ? {} : { ended: options.ended }),
        ...(options.status === undefined ? {} : { lastTurnStatus: options.status }),
        ...metadataOf(options),
      }
      const store = await cli.openToRead(options.store, '--store')
      const sessions = take(store.sessions(query), options.limit ?? Infinity)
      if (options.count === true) await printCount(cli, sessions, options.json === true)
      else await (options.json === true ? printArray(cli, sessions) : printTable(cli, sessions))
    })
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
      await cli.print(separator + jsonText(summaryJson(session)))
      separator = ',\n'
    }
  } finally {
    await cli.print(separator === '[\n' ? '[]\n' : '\n]\n')
  }
}

/** The table is laid out for this many rows at a time. */
const ROWS_AT_ONCE = 1000

async function printTable(cli: Cli, sessions: AsyncIterable<SessionSummary>): Promise<void> {
  let rows: SessionSummary[] = []
  let isEmpty = true
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return
    for (const line of sessionTable(rows, cli.paint, cli.width)) await cli.printStyled(line)
    rows = []
  }
  try {
    for await (const session of sessions) {
      isEmpty = false
      rows.push(session)
      if (rows.length >= ROWS_AT_ONCE) await flush()
    }
  } finally {
    await flush()
  }
  if (isEmpty) cli.note('No sessions.')
}

async function printCount(cli: Cli, sessions: AsyncIterable<SessionSummary>, isJson: boolean): Promise<void> {
  let number = 0
  try {
    for await (const _session of sessions) number++
  } finally {
    await (isJson ? cli.printJson({ sessions: number }) : cli.printLine(String(number)))
  }
}
