import type { DeleteOptions, SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { Command } from 'commander'
import { type Cli, count, messageOf, UsageError } from '../terminal/cli.js'
import { scopeOf, storeOption, workspaceOption } from '../terminal/options.js'

interface RmOptions {
  readonly store?: string
  readonly workspace?: string
  readonly evenIfDamaged?: true
  readonly json?: true
}

export function rmCommand(cli: Cli): Command {
  return new Command('rm')
    .description('delete sessions')
    .argument('[id...]', 'session ids')
    .addOption(storeOption())
    .addOption(workspaceOption('all sessions in this workspace; with ids, only those in this workspace'))
    .option('--even-if-damaged', 'also delete damaged sessions')
    .option('--json', 'print a summary as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ turnstore rm chat-1 chat-2 --store sqlite:./sessions.db
  $ turnstore rm --workspace acme`,
    )
    .action(async (ids: string[], options: RmOptions) => {
      const { json } = options
      if (ids.length === 0 && options.workspace === undefined)
        throw new UsageError('Choose which sessions to delete: rm ID, or rm --workspace W for a whole workspace')
      const store = await cli.open(options.store, '--store')
      const scope = scopeOf(options)
      const deleted: string[] = []
      const missing: string[] = []
      const isNamed = ids.length > 0
      const chosen = isNamed ? ids : await store.listSessions(scope)
      try {
        for (const id of chosen) {
          if (cli.isStopped) break
          const isDeleted = await deleteOne(cli, store, id, { ...scope, evenIfDamaged: options.evenIfDamaged ?? false })
          if (isDeleted === true) {
            deleted.push(id)
            if (json !== true) await cli.reportLine(`Deleted ${id}`)
          } else if (isDeleted === false && isNamed) {
            missing.push(id)
            cli.fail(`Session not found: ${id}`)
          }
        }
      } finally {
        if (json === true) await cli.reportJson({ deleted, missing })
        else if (!isNamed) await cli.reportLine(`${count(deleted.length, 'session')} deleted`)
      }
    })
}

/** Null for a damaged session, which is reported and kept. */
async function deleteOne(cli: Cli, store: SessionStore, id: string, how: DeleteOptions): Promise<boolean | null> {
  try {
    return await store.deleteSession(id, how)
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(`Not deleted: session ${id}. ${messageOf(error)}. To delete it anyway, use --even-if-damaged`)
    return null
  }
}
