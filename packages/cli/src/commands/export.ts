import { encodeSession, type SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { Command } from 'commander'
import { type Cli, jsonText, messageOf } from '../terminal/cli.js'
import { noteLargeNumbers } from '../terminal/large-numbers.js'
import { scopeOf, storeOption, workspaceOption } from '../terminal/options.js'
import { sessionIds } from '../terminal/session-ids.js'

interface ExportOptions {
  readonly store?: string
  readonly workspace?: string
}

export function exportCommand(cli: Cli): Command {
  return new Command('export')
    .description('print sessions as JSON Lines')
    .argument('[id...]', 'the sessions; all where none is named')
    .addOption(storeOption())
    .addOption(workspaceOption('only those of this workspace'))
    .option('--json', 'accepted for the sake of scripts: the output is JSON in any case')
    .addHelpText(
      'after',
      `
One session a line, whole, in the format that turnstore import reads.

Examples:
  $ turnstore export --store sqlite:./sessions.db > backup.jsonl
  $ turnstore export chat-1 chat-2
  $ turnstore export --workspace acme | gzip > acme.jsonl.gz`,
    )
    .action(async (ids: string[], options: ExportOptions) => {
      const store = await cli.open(options.store, '--store')
      const scope = scopeOf(options)
      const isNamed = ids.length > 0
      for await (const id of isNamed ? ids : sessionIds(cli, store, scope)) {
        if (cli.isStopped) return
        const line = await exportOne(cli, store, id, scope, isNamed)
        if (line !== null) await cli.print(line)
      }
    })
}

async function exportOne(
  cli: Cli,
  store: SessionStore,
  id: string,
  scope: { workspaceId?: string },
  isNamed: boolean,
): Promise<string | null> {
  try {
    const session = await store.loadSession(id, scope)
    if (session !== null) {
      noteLargeNumbers(cli, session)
      return `${jsonText(encodeSession(session))}\n`
    }
    // One that was merely listed has been deleted meanwhile.
    if (isNamed) cli.fail(`Session not found: ${id}`)
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(`Not exported: session ${id}. ${messageOf(error)}`)
  }
  return null
}
