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
    .argument('[id...]', 'the sessions')
    .addOption(storeOption())
    .addOption(workspaceOption('all sessions of this workspace; with ids, only those of them that belong to it'))
    .option('--even-if-damaged', 'also sessions that cannot be read')
    .option('--json', 'print what was done as JSON')
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
        throw new UsageError('Say which: rm ID, or rm --workspace W for all of a workspace')
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

/** Null for a session that cannot be read: it is reported, and stays. */
async function deleteOne(cli: Cli, store: SessionStore, id: string, how: DeleteOptions): Promise<boolean | null> {
  try {
    return await store.deleteSession(id, how)
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(`Not deleted: session ${id}. ${messageOf(error)}. --even-if-damaged deletes it, whatever is left of it`)
    return null
  }
}
