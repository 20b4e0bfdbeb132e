import { isTurnstoreError, type ScopeOptions, type SessionStore } from '@turnstore/core'
import { Command } from 'commander'
import { bringUpToDate, type Compare, compareSession, OtherContent, type Outcome } from '../bring-up-to-date.js'
import { type Cli, count, messageOf, UsageError } from '../cli.js'
import { noteLargeNumbers } from '../large-numbers.js'
import { scopeOf, workspaceOption } from '../options.js'
import { Progress } from '../progress.js'
import { sessionIds } from '../session-ids.js'

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
    .addOption(workspaceOption('only the sessions of this workspace'))
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      `
Copies everything but the revision, which is the target's own. It may be broken off and run again: a second
run adds only what is missing. A session that the target has with other content is told and left alone.

Examples:
  $ turnstore copy --from file:./sessions --to sqlite:./sessions.db
  $ turnstore copy --to file:./acme --workspace acme`,
    )
    .action(async (options: CopyOptions) => {
      const from = options.from ?? cli.env.TURNSTORE_URL
      if (from === options.to) throw new UsageError('--from and --to name the same store')
      const source = await cli.open(from, '--from')
      const target = await cli.open(options.to, '--to')
      await copy(cli, source, target, options)
    })
}

async function copy(cli: Cli, source: SessionStore, target: SessionStore, options: CopyOptions): Promise<void> {
  const scope = scopeOf(options)
  const counts: Record<Outcome | 'leftAlone', number> = { added: 0, grown: 0, unchanged: 0, leftAlone: 0 }
  const { length: total } = await source.listSessions(scope)
  const progress = new Progress(cli, { verb: 'Copying', total, quiet: options.json === true })
  let done = 0
  try {
    for await (const id of sessionIds(cli, source, scope)) {
      if (cli.isStopped) return
      const outcome = await copyOne(cli, source, target, id, scope)
      if (outcome !== null) counts[outcome]++
      progress.advance(++done)
    }
  } finally {
    progress.stop()
  }
  const { added, grown, unchanged, leftAlone } = counts
  if (options.json === true) await cli.printJson(counts)
  else {
    const parts = [
      `${added} added`,
      `${grown} grown`,
      `${unchanged} unchanged`,
      ...(leftAlone === 0 ? [] : [`${leftAlone} left alone`]),
    ]
    await cli.printLine(`${count(added + grown + unchanged + leftAlone, 'session')}: ${parts.join(', ')}`)
  }
}

/** Null for one that has been deleted since it was listed. */
async function copyOne(
  cli: Cli,
  source: SessionStore,
  target: SessionStore,
  id: string,
  scope: ScopeOptions,
): Promise<Outcome | 'leftAlone' | null> {
  try {
    const session = await source.loadSession(id, scope)
    if (session === null) return null
    noteLargeNumbers(cli, session)
    return await bringUpToDate(target, session, compareCopy)
  } catch (error) {
    if (error instanceof OtherContent)
      cli.fail(`Left alone: session ${id}. The target has it with other content in ${error.message}`)
    else if (isOfSession(error)) cli.fail(`Left alone: session ${id}. ${messageOf(error)}`)
    else throw error
    return 'leftAlone'
  }
}

/** A target that has more is no copy. */
const compareCopy: Compare = (stored, incoming) => {
  const comparison = compareSession(stored, incoming)
  return comparison.kind === 'ahead'
    ? { kind: 'other', where: 'its last turns, which the source does not have' }
    : comparison
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
