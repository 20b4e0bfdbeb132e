import { encodeSession, replaySession, type SessionRecord } from '@turnstore/core'
import { Command, Option } from 'commander'
import { noteLost, writableFormats, writtenIn } from '../output/written-messages.js'
import { type Cli, Failure } from '../terminal/cli.js'
import { idHelp, scopeOf, storeOption, workspaceOption } from '../terminal/options.js'
import { timelineText } from '../output/timeline-text.js'

interface ShowOptions {
  readonly store?: string
  readonly workspace?: string
  readonly format: string
  readonly json?: true
}

export function showCommand(cli: Cli): Command {
  return new Command('show')
    .description('show one session')
    .argument('<id>', 'session id')
    .addOption(storeOption())
    .addOption(workspaceOption('only if the session is in this workspace'))
    .addOption(
      new Option(
        '--format <format>',
        'an overview (timeline), the full text of its turns (markdown), the record (json), or the messages in one of the formats',
      )
        .choices(['timeline', 'markdown', 'json', ...writableFormats.map(({ name }) => name)])
        .default('timeline'),
    )
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      `
${idHelp}

Examples:
  $ turnstore show chat-1 --store sqlite:./sessions.db
  $ turnstore show chat-1 --format markdown > chat-1.md
  $ turnstore show chat-1 --format chat | jq length`,
    )
    .action(async (id: string, options: ShowOptions) => {
      const store = await cli.openToRead(options.store, '--store')
      const session = await store.loadSession(id, scopeOf(options))
      if (session === null) throw new Failure(`Session not found: ${id}`)
      await print(cli, session, options.json === true ? 'json' : options.format)
    })
}

function print(cli: Cli, session: SessionRecord, format: ShowOptions['format']): Promise<void> {
  if (format === 'json') return cli.printJson(encodeSession(session))
  const messageFormat = writableFormats.find(({ name }) => name === format)
  if (messageFormat !== undefined) {
    const { messages, system, lost } = writtenIn(messageFormat, session)
    noteLost(cli, lost)
    return cli.printJson(system === undefined ? messages : { system, messages })
  }
  const replay = replaySession(session)
  return cli.print(format === 'markdown' ? replay.toMarkdown() : timelineText(replay, cli.paint, cli.width))
}
