import { SessionManager } from '@turnstore/core'
import { isDamage, timeKey } from '@turnstore/core/adapter'
import { Command, InvalidArgumentError } from 'commander'
import { type Cli, count, messageOf, UsageError } from '../terminal/cli.js'
import { scopeOf, storeOption, workspaceOption } from '../terminal/options.js'

interface PruneCommandOptions {
  readonly store?: string
  readonly workspace?: string
  readonly before?: string
  readonly olderThan?: string
  readonly ended?: true
  readonly json?: true
}

export function pruneCommand(cli: Cli): Command {
  return new Command('prune')
    .description('delete old sessions, ended ones, or those that are both')
    .addOption(storeOption())
    .addOption(workspaceOption('only those of this workspace'))
    .option('--before <time>', 'last changed before this time, as in 2026-01-31 or 2026-01-31T12:00:00Z', readTime)
    .option('--older-than <age>', 'last changed longer ago than this, as in 30d, 12h or 90m', readAge)
    .option('--ended', 'only those that were ended')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      `
A session without a time, as imported transcripts are, is not old.

Examples:
  $ turnstore prune --older-than 30d --store sqlite:./sessions.db
  $ turnstore prune --ended --before 2026-01-31`,
    )
    .action(async (options: PruneCommandOptions) => {
      const { before, olderThan, ended, json } = options
      if (before !== undefined && olderThan !== undefined)
        throw new UsageError('--before and --older-than mean the same; say one of them')
      const updatedBefore = before ?? olderThan
      if (updatedBefore === undefined && ended === undefined)
        throw new UsageError('Say which: --before TIME, --older-than AGE, --ended')
      const manager = new SessionManager(await cli.open(options.store, '--store'))
      const deleted: string[] = []
      try {
        await manager.pruneSessions({
          ...(updatedBefore === undefined ? {} : { updatedBefore }),
          ...(ended === undefined ? {} : { ended }),
          ...scopeOf(options),
          onDeleted: id => {
            deleted.push(id)
            // The last line, which is waited for, comes behind those before it.
            if (json !== true) void cli.reportLine(`Deleted ${id}`)
          },
        })
      } catch (error) {
        if (!isDamage(error)) throw error
        cli.fail(`Not deleted: what cannot be read. ${messageOf(error)}`)
      } finally {
        if (json === true) await cli.reportJson({ deleted })
        else await cli.reportLine(`${count(deleted.length, 'session')} deleted`)
      }
    })
}

function readTime(text: string): string {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text
  if (timeKey(time) === '') {
    throw new InvalidArgumentError('It must be a date or a time in ISO 8601, as in 2026-01-31T12:00:00Z.')
  }
  return time
}

const unitsInMinutes: Record<string, number> = { m: 1, h: 60, d: 24 * 60, w: 7 * 24 * 60 }

function readAge(text: string): string {
  const [, number, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  const minutes = Number(number) * (unitsInMinutes[unit] ?? Number.NaN)
  const time = Date.now() - minutes * 60_000
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be a number with m, h, d or w behind it, as in 30d.')
  const written = new Date(time).toISOString()
  if (timeKey(written) === '') throw new InvalidArgumentError('It reaches back before the year 0.')
  return written
}
