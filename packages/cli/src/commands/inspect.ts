import { Command, InvalidArgumentError } from 'commander'
import { type Cli, Failure } from '../terminal/cli.js'
import { labelOf } from '../stores/store-label.js'
import { storeOption } from '../terminal/options.js'

interface InspectOptions {
  readonly store?: string
  readonly port?: number
  readonly write?: true
  readonly open: boolean
}

export function inspectCommand(cli: Cli): Command {
  return new Command('inspect')
    .description('show the sessions in your browser')
    .addOption(storeOption())
    .option('--port <n>', 'the port on 127.0.0.1 (default: a free one)', portNumber)
    .option('--write', 'allow the page to rename, end and delete sessions')
    .option('--no-open', 'do not open the browser')
    .addHelpText(
      'after',
      `
Serves a page on this machine until you press Ctrl-C, and prints its URL. Who has the URL can read the store, and
nobody else. The page lists, filters and searches sessions, and shows one as a conversation, while it runs too. Press
? in it for its keys.

Examples:
  $ turnstore inspect --store sqlite:./sessions.db
  $ turnstore inspect --port 4400 --no-open
  $ turnstore inspect --write`,
    )
    .action(async (options: InspectOptions) => {
      const { store: url, write = false } = options
      const store = await (write ? cli.open(url, '--store') : cli.openToRead(url, '--store'))
      const { openBrowser, startInspector } = await import('../inspector/index.js')
      const inspected = {
        store,
        label: labelOf(url ?? cli.env.TURNSTORE_URL ?? '').replaceAll(/^"|"$/g, ''),
        isWritable: write,
      }
      const inspector = await startInspector(inspected, options.port ?? 0).catch((error: unknown) => {
        throw new Failure(`Cannot listen on port ${options.port ?? 0} of 127.0.0.1 (${codeOf(error)})`)
      })
      try {
        await cli.printLine(inspector.url)
        if (options.open) openBrowser(inspector.url)
        cli.note(`Serving ${inspected.label}${write ? '' : ', read only'}; press Ctrl-C to stop`)
        await cli.untilStop()
      } finally {
        await inspector.close()
      }
    })
}

function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 65535.')
  }
  return port
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
