import { encodeSession, type JsonObject, type SessionRecord, type SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { Command, Option } from 'commander'
import { noteLost, type WritableFormat, writableFormats, writtenIn } from '../output/written-messages.js'
import { type Cli, jsonText, messageOf } from '../terminal/cli.js'
import { noteLargeNumbers } from '../terminal/large-numbers.js'
import { idHelp, scopeOf, storeOption, workspaceOption } from '../terminal/options.js'
import { sessionIds } from '../terminal/session-ids.js'

interface ExportOptions {
  readonly store?: string
  readonly workspace?: string
  readonly format?: string
}

export function exportCommand(cli: Cli): Command {
  return new Command('export')
    .description('print sessions as JSON Lines')
    .argument('[id...]', 'session ids (default: all sessions)')
    .addOption(storeOption())
    .addOption(workspaceOption('only sessions in this workspace'))
    .addOption(
      new Option('--format <format>', 'transcripts, with messages in this format (default: complete sessions)').choices(
        writableFormats.map(({ name }) => name),
      ),
    )
    .option('--json', 'no effect: the output is always JSON')
    .addHelpText(
      'after',
      `
Prints one complete session per line, in the format that turnstore import reads. With --format, prints one transcript
per line, { "id", "messages", "metadata", "created_at", "updated_at" }, and "system" where the format has the system
prompt apart. Only complete sessions are a backup. ${idHelp.replace('show', 'export')}

Examples:
  $ turnstore export --store sqlite:./sessions.db > backup.jsonl
  $ turnstore export chat-1 chat-2
  $ turnstore export --format ai-sdk > transcripts.jsonl
  $ turnstore export --workspace acme | gzip > acme.jsonl.gz`,
    )
    .action(async (ids: string[], options: ExportOptions) => {
      const store = await cli.openToRead(options.store, '--store')
      const scope = scopeOf(options)
      const format = writableFormats.find(({ name }) => name === options.format)
      const isNamed = ids.length > 0
      for await (const id of isNamed ? ids : sessionIds(cli, store, scope)) {
        if (cli.isStopped) return
        const line = await exportOne(cli, store, id, scope, isNamed, format)
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
  format: WritableFormat | undefined,
): Promise<string | null> {
  try {
    const session = await store.loadSession(id, scope)
    if (session !== null) {
      noteLargeNumbers(cli, session)
      return `${jsonText(format === undefined ? encodeSession(session) : transcriptOf(cli, session, format))}\n`
    }
    // A session that was only listed may have been deleted since.
    if (isNamed) cli.fail(`Session not found: ${id}`)
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(`Not exported: session ${id}. ${messageOf(error)}`)
  }
  return null
}

function transcriptOf(cli: Cli, session: SessionRecord, format: WritableFormat): JsonObject {
  const { sessionId, metadata, createdAt, updatedAt } = session
  const { messages, system, lost } = writtenIn(format, session)
  noteLost(cli, lost, sessionId)
  return {
    id: sessionId,
    ...(system === undefined ? {} : { system }),
    messages,
    metadata,
    ...(createdAt === '' ? {} : { created_at: createdAt }),
    ...(updatedAt === '' ? {} : { updated_at: updatedAt }),
  }
}
