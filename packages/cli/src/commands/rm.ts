import { Command } from 'commander'
import { type Cli, count, UsageError } from '../cli.js'
import { scopeOf, storeOption, workspaceOption } from '../options.js'

interface RmOptions {
  readonly store?: string
  readonly workspace?: string
  readonly json?: true
}

export function rmCommand(cli: Cli): Command {
  return new Command('rm')
    .description('delete sessions')
    .argument('[id...]', 'the sessions')
    .addOption(storeOption())
    .addOption(workspaceOption('all sessions of this workspace; with ids, only those of them that belong to it'))
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
      for (const id of ids.length > 0 ? ids : await store.listSessions(scope)) {
        if (cli.isStopped) break
        if (await store.deleteSession(id, scope)) {
          deleted.push(id)
          if (json !== true) await cli.printLine(`Deleted ${id}`)
        } else if (ids.length > 0) {
          missing.push(id)
          cli.fail(`Session not found: ${id}`)
        }
      }
      if (json === true) await cli.printJson({ deleted, missing })
      else if (ids.length === 0) await cli.printLine(`${count(deleted.length, 'session')} deleted`)
    })
}
