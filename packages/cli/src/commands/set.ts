import { SessionManager } from '@turnstore/core'
import { Command } from 'commander'
import { type Cli, UsageError } from '../terminal/cli.js'
import { readAssignment } from '../terminal/metadata-values.js'
import { collected, scopeOf, storeOption, workspaceOption } from '../terminal/options.js'

interface SetOptions {
  readonly store?: string
  readonly workspace?: string
  readonly unset?: readonly string[]
  readonly json?: true
}

export function setCommand(cli: Cli): Command {
  return new Command('set')
    .description('set or remove metadata of a session')
    .argument('<id>', 'session id')
    .argument('[key=value...]', 'members to set: key=text, or key:=json')
    .addOption(storeOption())
    .addOption(workspaceOption('only if the session is in this workspace'))
    .option('--unset <key>', 'remove this member; repeatable', collected)
    .option('--json', 'print the new revision as JSON')
    .addHelpText(
      'after',
      `
Other members stay as they are. If an id begins with -, put -- before it: turnstore set -- -id key=value

Examples:
  $ turnstore set chat-1 channel=web
  $ turnstore set chat-1 score:=3 reviewed:=true 'tags:=["tea"]'
  $ turnstore set chat-1 --unset score`,
    )
    .action(async (sessionId: string, members: string[], options: SetOptions) => {
      const { unset = [] } = options
      if (members.length === 0 && unset.length === 0) {
        throw new UsageError('Choose what to change: set ID key=value, or set ID --unset key')
      }
      const metadata = Object.fromEntries(members.map(text => readAssignment('Each member', text)))
      const manager = new SessionManager(await cli.open(options.store, '--store'), scopeOf(options))
      const { revision } = await manager.updateSession(sessionId, { metadata, unsetMetadata: unset })
      if (options.json === true) await cli.printJson({ session_id: sessionId, revision })
      else await cli.printLine(`Changed ${sessionId}`)
    })
}
