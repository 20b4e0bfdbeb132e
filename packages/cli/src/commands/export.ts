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
    .argument('[id...]', 'session ids (default: all sessions)')
    .addOption(storeOption())
    .addOption(workspaceOption('only sessions in this workspace'))
    .option('--json', 'no effect: the output is always JSON')
    .addHelpText(
      'after',
      `
Prints one complete session per line, in the format that turnstore import reads.

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
    // A session that was only listed may have been deleted since.
    if (isNamed) cli.fail(`Session not found: ${id}`)
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(`Not exported: session ${id}. ${messageOf(error)}`)
  }
  return null
}
