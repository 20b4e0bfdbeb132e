import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { type Format, formatByName, formats } from '@turnstore/formats'
import { Command, Option } from 'commander'
import { type ChosenStore, type Cli, Failure, messageOf, UsageError } from '../terminal/cli.js'
import { ImportReport, type Place, type ReadRecord, strayKind } from '../output/import-report.js'
import { MergeInOrder } from '../merge/merge-in-order.js'
import { figure } from '../terminal/figure.js'
import { workspaceOption } from '../terminal/options.js'
import { MAX_RECORD_BYTES } from '../input/lines.js'
import { isObject } from '../input/parse-json.js'
import { Progress } from '../output/progress.js'
import { type FileRecord, readRecords } from '../input/read-records.js'
import { readToolFile } from '../input/tool-file.js'
import { type RecordSource, sourceOf, unnamedSource } from '../input/record-source.js'
import { isSessionRecord, readSession } from '../input/transcript.js'

interface ImportOptions {
  readonly to?: string
  readonly workspace?: string
  readonly format?: string
  readonly json?: true
}

export function importCommand(cli: Cli): Command {
  return new Command('import')
    .description('import transcripts or exported sessions')
    .argument('<file...>', 'files to read, - for stdin')
    .option('--to <url>', 'the store to import into (default: TURNSTORE_URL)')
    .addOption(workspaceOption('import into this workspace'))
    .addOption(
      new Option('--format <format>', 'what the files hold (default: recognized by their content)').choices(
        formats.map(({ name }) => name),
      ),
    )
    .option('--json', 'print a summary as JSON')
    .addHelpText(
      'after',
      `
Reads JSON Lines, a JSON array or JSON objects. A file holds one of:
  - transcripts, { "id", "messages", "metadata" }, with messages of any of the formats
  - sessions as written by turnstore export
  - a list of messages, which is one session
  - what another tool wrote: ChatGPT, Claude, Claude Code, Codex, Gemini CLI or Inspect

Importing the same file again adds nothing. If a transcript has grown, import adds what is new. Import never removes
or changes data in the store: if the store has different content, the command reports where and exits with code 1. A
transcript without an id gets an id from its file and its position in it, or from its content if it comes from stdin.
Records that cannot be read are reported with their line, and the others are imported. You can stop an import and run
it again: the next run adds what is missing. The store is created when there is a record to import.

Examples:
  $ turnstore import chats.jsonl --to sqlite:./sessions.db
  $ turnstore import conversations.json --to sqlite:./sessions.db
  $ turnstore import monday.jsonl tuesday.json --to file:./sessions --workspace acme
  $ zcat chats.jsonl.gz | turnstore import - --to file:./sessions`,
    )
    .action(async (files: string[], options: ImportOptions) => {
      if (files.indexOf('-') !== files.lastIndexOf('-')) throw new UsageError('stdin can be read only once; use - once')
      const run = new Import(cli, await cli.choose(options.to, '--to'), options)
      for (const file of files) await run.readFile(file)
    })
}

class Import {
  readonly #cli: Cli
  readonly #chosen: ChosenStore
  readonly #options: ImportOptions
  readonly #report: ImportReport
  #merges: MergeInOrder | null = null

  constructor(cli: Cli, chosen: ChosenStore, options: ImportOptions) {
    this.#cli = cli
    this.#chosen = chosen
    this.#options = options
    this.#report = new ImportReport(cli, { isJson: options.json === true, pending: () => this.#merges?.pending ?? 0 })
    cli.sumUp(this.#report)
  }

  async readFile(file: string): Promise<void> {
    if (this.#cli.isStopped) return
    const name = file === '-' ? 'stdin' : file
    try {
      const source = file === '-' ? unnamedSource : await sourceOf(file)
      const input = this.#cli.untilStopped(file === '-' ? this.#cli.stdin : createReadStream(file))
      if (file !== '-') await once(input, 'open')
      else if (this.#cli.stdin.isTTY === true) this.#cli.note(TYPE_HERE)
      const progress = new Progress(this.#cli, {
        verb: `Importing ${name}`,
        shown: `Importing ${basename(name)}`,
        total: source.size,
        quiet: this.#options.json === true,
      })
      try {
        try {
          await this.#importRecords(readRecords(input), { name, source, progress })
        } finally {
          // If the file cannot be read to its end, what was read counts.
          await this.#merges?.finish()
        }
        this.#report.endRow()
      } finally {
        progress.stop()
        // Stops the process that writes to the pipe.
        input.destroy()
      }
    } catch (error) {
      if (this.#cli.isStopped) return
      this.#report.endRow()
      const reason = reasonOf(error)
      if (reason === undefined) throw error
      this.#report.fail({ file: name, message: reason })
    }
  }

  /**
   * Imports the records of a file one by one if the first is a session. Otherwise the file belongs together, and is read
   * as a whole: then what comes first does not tell where it ends.
   */
  async #importRecords(records: AsyncIterable<FileRecord>, file: OpenFile): Promise<void> {
    const held: FileRecord[] = []
    let areSessions: boolean | null = null
    for await (const record of records) {
      const first =
        areSessions === null && 'json' in record.value && isObject(record.value.json) ? record.value.json : null
      if (first !== null) areSessions = isSessionRecord(first)
      if (areSessions === true) {
        for (const each of held.splice(0)) await this.#importRecord(each, file)
        await this.#importRecord(record, file)
      } else {
        held.push(record)
        if (record.bytes > MAX_RECORD_BYTES)
          throw new Failure(`larger than ${figure(MAX_RECORD_BYTES)} bytes; split it`)
      }
    }
    if (areSessions === null) for (const each of held) await this.#importRecord(each, file)
    else if (!areSessions) await this.#importWhole(held, file)
  }

  async #importRecord(record: FileRecord, { name, source, progress }: OpenFile): Promise<void> {
    await this.#merge(this.#read(record, source), record.bytes, { file: name, line: record.line }, progress)
  }

  /** A line that is not JSON is left out and reported; the others are imported. */
  async #importWhole(records: readonly FileRecord[], { name, source, progress }: OpenFile): Promise<void> {
    const values = records.flatMap(({ value }) => ('json' in value ? [value.json] : []))
    const { workspace: workspaceId } = this.#options
    const { sessions, problems } = readToolFile(values, { source, format: this.#format, workspaceId })
    for (const { line, value } of records) {
      if ('problem' in value) this.#report.fail({ file: name, line, message: `left out: ${value.problem}` })
    }
    this.#report.failInPart(problems.map(message => ({ file: name, message: `imported, but ${message}` })))
    const bytes = records.at(-1)?.bytes ?? 0
    for (const [index, session] of sessions.entries()) {
      const read = { stray: null, session, problems: [], notes: [] }
      await this.#merge(read, (bytes * (index + 1)) / sessions.length, { file: name }, progress)
    }
  }

  /** The store is opened for the first session, so that a file without any creates nothing. */
  async #merge(read: ReadRecord, bytes: number, at: Place, progress: Progress): Promise<void> {
    const session = 'session' in read ? read.session : null
    if (this.#merges === null) {
      if (session === null) {
        this.#report.add(at, read, null)
        progress.advance(bytes)
        return
      }
      this.#merges = new MergeInOrder(await this.#chosen.ready(), work => this.#chosen.answer(work))
    }
    await this.#merges.add(session, bytes, merged => {
      this.#report.add(at, read, merged)
      progress.advance(bytes)
    })
  }

  get #format(): Format | undefined {
    return formatByName(this.#options.format ?? '')
  }

  #read({ place, value }: FileRecord, source: RecordSource): ReadRecord {
    const stray = strayKind(value)
    if ('problem' in value) return { stray, problem: value.problem }
    try {
      const { workspace: workspaceId } = this.#options
      return { stray, ...readSession(value, { source, place, format: this.#format, workspaceId }) }
    } catch (error) {
      return { stray, problem: `left out: ${messageOf(error)}` }
    }
  }
}

/** A file that is being imported. */
interface OpenFile {
  readonly name: string
  readonly source: RecordSource
  readonly progress: Progress
}

const TYPE_HERE = 'Waiting for records; end with Ctrl-D'

/** Why a file could not be read completely. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof Failure) return error.message
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined
  return systemErrors.get(error.code) ?? `could not be read (${String(error.code)})`
}

const systemErrors = new Map<unknown, string>([
  ['ENOENT', 'no such file'],
  ['ENOTDIR', 'no such file'],
  ['EISDIR', 'a folder, not a file'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EIO', 'could not be read completely'],
])
