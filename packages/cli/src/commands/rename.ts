import { SessionManager } from '@turnstore/core'
import { Command } from 'commander'
import type { Cli } from '../terminal/cli.js'
import { scopeOf, storeOption, workspaceOption } from '../terminal/options.js'

interface RenameOptions {
  readonly store?: string
  readonly workspace?: string
  readonly json?: true
}

export function renameCommand(cli: Cli): Command {
  return new Command('rename')
    .description('set the title of a session')
    .argument('<id>', 'session id, which stays the same')
    .argument('<title>', 'the new title; an empty one removes it')
    .addOption(storeOption())
    .addOption(workspaceOption('only if the session is in this workspace'))
    .option('--json', 'print the new revision as JSON')
    .addHelpText(
      'after',
      `
The title is the metadata member "title", which turnstore ls shows. If an id begins with -, put -- before it: turnstore
rename -- -id TITLE

Example:
  $ turnstore rename chat-1 'A question about tea'`,
    )
    .action(async (sessionId: string, title: string, options: RenameOptions) => {
      const manager = new SessionManager(await cli.open(options.store, '--store'), scopeOf(options))
      const update = title === '' ? { unsetMetadata: ['title'] } : { metadata: { title } }
      const { revision } = await manager.updateSession(sessionId, update)
      if (options.json === true) await cli.printJson({ session_id: sessionId, revision })
      else await cli.printLine(`Renamed ${sessionId}`)
    })
}
