import { isTurnstoreError, type ScopeOptions, type SessionStore, mergeSession, type MergeResult } from '@turnstore/core'
import { Command } from 'commander'
import { type ChosenStore, type Cli, messageOf, UsageError } from '../terminal/cli.js'
import { noteLargeNumbers } from '../terminal/large-numbers.js'
import { contradictionSentences } from '../output/contradiction-sentences.js'
import { CopyReport, type NotCopied } from '../output/copy-report.js'
import { scopeOf, workspaceOption } from '../terminal/options.js'
import { Progress } from '../output/progress.js'
import { sessionIds } from '../terminal/session-ids.js'

interface CopyOptions {
  readonly from?: string
  readonly to: string
  readonly workspace?: string
  readonly json?: true
}

export function copyCommand(cli: Cli): Command {
  return new Command('copy')
    .description('copy sessions from one store to another')
    .option('--from <url>', 'the store to read (default: TURNSTORE_URL)')
    .requiredOption('--to <url>', 'the store to write')
    .addOption(workspaceOption('only sessions in this workspace'))
    .option('--json', 'print a summary as JSON')
    .addHelpText(
      'after',
      `
Copies everything except the revision: the target assigns its own. You can stop a copy and run it again: the next
run adds what is missing. Copy never removes or changes data in the target. If the target has different content, the
command reports where, keeps the target's content, and exits with code 1.

Examples:
  $ turnstore copy --from file:./sessions --to sqlite:./sessions.db
  $ turnstore copy --to file:./acme --workspace acme`,
    )
    .action(async (options: CopyOptions) => {
      const from = options.from ?? cli.env.TURNSTORE_URL
      if (from === options.to) throw new UsageError('--from and --to must be different stores')
      const source = await cli.openToRead(from, '--from')
      const chosen = await cli.choose(options.to, '--to')
      await copy(cli, source, chosen, options)
    })
}

async function copy(cli: Cli, source: SessionStore, chosen: ChosenStore, options: CopyOptions): Promise<void> {
  const target = await chosen.ready()
  const scope = scopeOf(options)
  const report = new CopyReport(options.json === true)
  cli.sumUp(report)
  const { length: total } = await source.listSessions(scope)
  const progress = new Progress(cli, { verb: 'Copying', total, quiet: report.isJson })
  let done = 0
  try {
    for await (const id of sessionIds(cli, source, scope)) {
      if (cli.isStopped) return
      report.isWriting = true
      const result = await chosen.answer(copyOne(cli, source, target, id, scope))
      report.isWriting = false
      if (result !== null) report.add(id, result)
      progress.advance(++done)
    }
  } finally {
    progress.stop()
  }
}

/** Null if the session was deleted after it was listed. */
async function copyOne(
  cli: Cli,
  source: SessionStore,
  target: SessionStore,
  id: string,
  scope: ScopeOptions,
): Promise<MergeResult | NotCopied | null> {
  try {
    const session = await source.loadSession(id, scope)
    if (session === null) return null
    noteLargeNumbers(cli, session)
    const result = await mergeSession(target, session)
    for (const sentence of contradictionSentences(result.contradictions)) cli.fail(`Session ${id}: ${sentence}`)
    return result
  } catch (error) {
    if (!isOfSession(error)) throw error
    const isTaken = isTurnstoreError(error, 'SESSION_EXISTS')
    cli.fail(`${isTaken ? 'Left alone' : 'Left out'}: session ${id}. ${messageOf(error)}`)
    return isTaken ? 'left alone' : 'left out'
  }
}

function isOfSession(error: unknown): boolean {
  return (
    [
      'CORRUPT_SESSION',
      'SCHEMA_TOO_NEW',
      'SESSION_EXISTS',
      'INVALID_RECORD',
      'INVALID_ID',
      'REVISION_CONFLICT',
    ] as const
  ).some(code => isTurnstoreError(error, code))
}
