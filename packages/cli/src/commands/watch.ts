import { isTurnstoreError } from '@turnstore/core'
import { Command } from 'commander'
import { LiveTail } from '../output/live-tail.js'
import { type Cli, Failure } from '../terminal/cli.js'
import { idHelp, scopeOf, storeOption, wholeNumber, workspaceOption } from '../terminal/options.js'

interface WatchOptions {
  readonly store?: string
  readonly workspace?: string
  readonly last: number
  readonly json?: true
}

export function watchCommand(cli: Cli): Command {
  return new Command('watch')
    .description('follow a session: print its turns, tool calls and responses as they are recorded')
    .argument('<id>', 'session id')
    .addOption(storeOption())
    .addOption(workspaceOption('only if the session is in this workspace'))
    .option('--last <n>', 'begin with the last n turns', wholeNumber, 1)
    .option('--json', 'print one JSON object a line for each event')
    .addHelpText(
      'after',
      `
Ends when the session is deleted, or with Ctrl-C. Changes by other processes come within about a second.

${idHelp}

Examples:
  $ turnstore watch chat-1 --store sqlite:./sessions.db
  $ turnstore watch chat-1 --json | jq -c 'select(.event == "tool_call")'`,
    )
    .action(async (id: string, options: WatchOptions) => {
      const store = await cli.open(options.store, '--store')
      const tail = new LiveTail(store, id, scopeOf(options), options.last)
      const print = async (): Promise<void> => {
        for await (const { line, event } of tail.events(cli.paint)) {
          if (options.json === true) await cli.printJsonLine(event)
          else await cli.printStyled(line)
        }
      }
      try {
        for await (const { deleted } of store.watchSession(id, scopeOf(options))) {
          if (deleted !== true) await print()
          else if (tail.hasBegun) cli.note(`Session ${id} was deleted.`)
          else throw new Failure(`Session not found: ${id}`)
        }
      } catch (error) {
        // Ctrl-C has closed the store.
        if (!cli.isStopped || !isTurnstoreError(error, 'STORE_CLOSED')) throw error
      }
    })
}
