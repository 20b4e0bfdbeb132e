import { SessionManager, type SessionQuery } from '@turnstore/core'
import { isDamage, timeKey } from '@turnstore/core/adapter'
import { Command, InvalidArgumentError } from 'commander'
import { confirmDeletion, DeleteReport } from '../output/delete-report.js'
import { type Cli, messageOf, UsageError } from '../terminal/cli.js'
import { dryRunOption, scopeOf, storeOption, workspaceOption, yesOption } from '../terminal/options.js'

interface PruneCommandOptions {
  readonly store?: string
  readonly workspace?: string
  readonly before?: string
  readonly olderThan?: string
  readonly ended?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}

export function pruneCommand(cli: Cli): Command {
  return new Command('prune')
    .description('delete sessions that are old, ended or both')
    .addOption(storeOption())
    .addOption(workspaceOption('only sessions in this workspace'))
    .option(
      '--before <time>',
      'only sessions last changed before this time: 2026-01-31 or 2026-01-31T12:00:00Z',
      readTime,
    )
    .option('--older-than <age>', 'only sessions last changed longer ago than this: 30d, 12h or 90m', readAge)
    .option('--ended', 'only ended sessions')
    .addOption(dryRunOption())
    .addOption(yesOption())
    .option('--json', 'print a summary as JSON')
    .addHelpText(
      'after',
      `
Sessions without a time, such as imported transcripts, do not count as old. On a terminal, the command asks before it
deletes.

Examples:
  $ turnstore prune --older-than 30d --store sqlite:./sessions.db
  $ turnstore prune --ended --before 2026-01-31 --dry-run`,
    )
    .action(async (options: PruneCommandOptions) => {
      const { before, olderThan, ended } = options
      if (before !== undefined && olderThan !== undefined)
        throw new UsageError('Use either --before or --older-than, not both')
      const updatedBefore = before ?? olderThan
      if (updatedBefore === undefined && ended === undefined)
        throw new UsageError('Choose which sessions to delete: --before TIME, --older-than AGE or --ended')
      const manager = new SessionManager(await cli.open(options.store, '--store'))
      const isDryRun = options.dryRun === true
      const report = new DeleteReport(cli, { isJson: options.json === true, isDryRun, isNamed: false })
      const chosen = {
        ...(updatedBefore === undefined ? {} : { updatedBefore }),
        ...(ended === undefined ? {} : { ended }),
        ...scopeOf(options),
      }
      if (isDryRun || (options.yes !== true && cli.canAsk)) {
        const ids = await idsOf(cli, manager, chosen)
        if (!isDryRun) await confirmDeletion(cli, ids.length)
        else for (const id of ids) await report.add(id)
      }
      cli.sumUp(report)
      if (isDryRun) return
      try {
        // Not awaited: the last line is, and lines are written in order.
        await manager.pruneSessions({ ...chosen, onDeleted: id => void report.add(id) })
      } catch (error) {
        if (!isDamage(error)) throw error
        cli.fail(`Not deleted: damaged sessions. ${messageOf(error)}`)
      }
    })
}

async function idsOf(cli: Cli, manager: SessionManager, query: SessionQuery): Promise<string[]> {
  const ids: string[] = []
  try {
    for await (const { sessionId } of manager.sessions({ ...query, order: 'asc' })) ids.push(sessionId)
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(messageOf(error))
  }
  return ids
}

function readTime(text: string): string {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text
  if (timeKey(time) === '') {
    throw new InvalidArgumentError('It must be an ISO 8601 date or time, such as 2026-01-31T12:00:00Z.')
  }
  return time
}

const unitsInMinutes: Record<string, number> = { m: 1, h: 60, d: 24 * 60, w: 7 * 24 * 60 }

function readAge(text: string): string {
  const [, number, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  const minutes = Number(number) * (unitsInMinutes[unit] ?? Number.NaN)
  const time = Date.now() - minutes * 60_000
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be a number followed by m, h, d or w, such as 30d.')
  const written = new Date(time).toISOString()
  if (timeKey(written) === '') throw new InvalidArgumentError('It goes back before the year 0.')
  return written
}
