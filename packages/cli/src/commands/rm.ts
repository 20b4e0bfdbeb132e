import { isTurnstoreError, type ScopeOptions, type SessionQuery, type SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { Command } from 'commander'
import { confirmDeletion, DeleteReport } from '../output/delete-report.js'
import { type Cli, messageOf, UsageError } from '../terminal/cli.js'
import {
  dryRunOption,
  idHelp,
  metadataOf,
  scopeOf,
  storeOption,
  whereOption,
  workspaceOption,
  yesOption,
} from '../terminal/options.js'

interface RmOptions {
  readonly store?: string
  readonly workspace?: string
  readonly where?: readonly string[]
  readonly evenIfDamaged?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}

/** A session to delete. With a revision, only if it has not changed since. */
interface Chosen {
  readonly id: string
  readonly revision?: number
}

export function rmCommand(cli: Cli): Command {
  return new Command('rm')
    .description('delete sessions')
    .argument('[id...]', 'session ids')
    .addOption(storeOption())
    .addOption(workspaceOption('all sessions in this workspace; with ids, only those in this workspace'))
    .addOption(whereOption())
    .option('--even-if-damaged', 'also delete damaged sessions')
    .addOption(dryRunOption())
    .addOption(yesOption())
    .option('--json', 'print a summary as JSON')
    .addHelpText(
      'after',
      `
Without ids, the command asks on a terminal before it deletes. ${idHelp.replace('show', 'rm')}

Examples:
  $ turnstore rm chat-1 chat-2 --store sqlite:./sessions.db
  $ turnstore rm --workspace acme --dry-run
  $ turnstore rm --where channel=test --yes`,
    )
    .action(async (ids: string[], options: RmOptions) => {
      const isNamed = ids.length > 0
      if (!isNamed && options.workspace === undefined && options.where === undefined) {
        throw new UsageError(
          'Choose which sessions to delete: rm ID, rm --where KEY=VALUE, or rm --workspace W for a whole workspace',
        )
      }
      if (isNamed && options.where !== undefined) throw new UsageError('Use either ids or --where, not both')
      const metadata = metadataOf(options)
      const store = await cli.open(options.store, '--store')
      const chosen = isNamed
        ? ids.map(id => ({ id }))
        : await chosenBy(cli, store, { ...scopeOf(options), ...metadata })
      const isDryRun = options.dryRun === true
      if (!isNamed && !isDryRun && options.yes !== true) await confirmDeletion(cli, chosen.length)
      const report = new DeleteReport(cli, { isJson: options.json === true, isDryRun, isNamed })
      cli.sumUp(report)
      for (const each of chosen) {
        if (cli.isStopped) break
        const isThere = isDryRun
          ? await isDeletable(cli, store, each, options)
          : await isDeleted(cli, store, each, options)
        if (isThere === true) await report.add(each.id)
        else if (isThere === false && isNamed) report.addMissing(each.id)
      }
    })
}

async function chosenBy(cli: Cli, store: SessionStore, query: ScopeOptions & SessionQuery): Promise<Chosen[]> {
  const { metadata, ...scope } = query
  if (metadata === undefined) return (await store.listSessions(scope)).map(id => ({ id }))
  const chosen: Chosen[] = []
  try {
    for await (const { sessionId: id, revision } of store.sessions(query)) {
      chosen.push({ id, revision })
    }
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(messageOf(error))
  }
  return chosen
}

/** Null for a session that is reported and kept: it is damaged, or has changed since it was chosen. */
async function isDeleted(cli: Cli, store: SessionStore, chosen: Chosen, options: RmOptions): Promise<boolean | null> {
  const { id, revision: ifRevision } = chosen
  const condition = ifRevision === undefined ? { evenIfDamaged: options.evenIfDamaged === true } : { ifRevision }
  try {
    return await store.deleteSession(id, { ...scopeOf(options), ...condition })
  } catch (error) {
    if (isTurnstoreError(error, 'REVISION_CONFLICT')) cli.fail(`Not deleted: session ${id} has just been changed`)
    else if (isDamage(error)) failDamaged(cli, id, error)
    else throw error
    return null
  }
}

/** What {@link isDeleted} would return. */
async function isDeletable(cli: Cli, store: SessionStore, { id }: Chosen, options: RmOptions): Promise<boolean | null> {
  const scope: ScopeOptions = scopeOf(options)
  try {
    return (await store.loadSummary(id, scope)) !== null
  } catch (error) {
    if (!isDamage(error)) throw error
    if (options.evenIfDamaged === true) return true
    failDamaged(cli, id, error)
    return null
  }
}

function failDamaged(cli: Cli, id: string, error: unknown): void {
  cli.fail(`Not deleted: session ${id}. ${messageOf(error)}. To delete it anyway, use --even-if-damaged`)
}
