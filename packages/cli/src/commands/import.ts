import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { isTurnstoreError, type SessionStore } from '@turnstore/core'
import { type Format, formatByName, formats } from '@turnstore/formats'
import { Command, Option } from 'commander'
import { type Cli, Failure, messageOf, UsageError } from '../terminal/cli.js'
import { contradictionSentence, contradictionSentences } from '../output/contradiction-sentences.js'
import { MergeInOrder, type Merged } from '../merge/merge-in-order.js'
import { MergeCounts } from '../output/merge-counts.js'
import { workspaceOption } from '../terminal/options.js'
import { MAX_RECORD_BYTES } from '../input/lines.js'
import { isObject } from '../input/parse-json.js'
import { Progress } from '../output/progress.js'
import { type FileRecord, readRecords } from '../input/read-records.js'
import { readToolFile } from '../input/tool-file.js'
import { type RecordSource, sourceOf, unnamedSource } from '../input/record-source.js'
import { isMessage, isSessionRecord, readSession } from '../input/transcript.js'

interface ImportOptions {
  readonly to?: string
  readonly workspace?: string
  readonly format?: string
  readonly json?: true
}

interface Report {
  file: string
  line?: number
  message: string
}

type Place = Pick<Report, 'file' | 'line'>

/** Lines reported per record. */
const MAX_LINES = 5

/** A kind of record that repeats when the file has another format: the first `limit` are reported, the rest counted. */
interface Stray {
  readonly limit: number
  readonly one: string
  readonly many: string
}

const NO_OBJECT: Stray = { limit: 10, one: 'is not a JSON object', many: 'are not JSON objects' }
const MESSAGE: Stray = { limit: 1, one: 'is a single message', many: 'are single messages' }
const OTHER: Stray = { limit: 1, one: 'is no session', many: 'are no sessions' }

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
Records that cannot be read are reported with their line, and the others are imported.

Examples:
  $ turnstore import chats.jsonl --to sqlite:./sessions.db
  $ turnstore import conversations.json --to sqlite:./sessions.db
  $ turnstore import monday.jsonl tuesday.json --to file:./sessions --workspace acme
  $ zcat chats.jsonl.gz | turnstore import - --to file:./sessions`,
    )
    .action(async (files: string[], options: ImportOptions) => {
      if (files.indexOf('-') !== files.lastIndexOf('-')) throw new UsageError('stdin can be read only once; use - once')
      const run = new Import(cli, await cli.open(options.to, '--to'), options)
      for (const file of files) await run.readFile(file)
      await run.finish()
    })
}

class Import {
  readonly #cli: Cli
  readonly #store: SessionStore
  readonly #options: ImportOptions
  readonly #counts = new MergeCounts()
  readonly #problems: Report[] = []
  readonly #notes: Report[] = []
  #leftOut = 0
  /** A run of consecutive stray records of one kind. `from`: the first that was not reported. */
  #row: { kind: Stray | null; length: number; from?: Place } = { kind: null, length: 0 }

  constructor(cli: Cli, store: SessionStore, options: ImportOptions) {
    this.#cli = cli
    this.#store = store
    this.#options = options
  }

  async readFile(file: string): Promise<void> {
    const name = file === '-' ? 'stdin' : file
    try {
      const source = file === '-' ? unnamedSource : await sourceOf(file)
      const input = this.#cli.untilStopped(file === '-' ? this.#cli.stdin : createReadStream(file))
      if (file !== '-') await once(input, 'open')
      const progress = new Progress(this.#cli, {
        verb: `Importing ${name}`,
        total: source.size,
        quiet: this.#options.json === true,
      })
      const merges = new MergeInOrder(this.#store)
      try {
        try {
          await this.#importRecords(readRecords(input), { name, source, merges, progress })
        } finally {
          // If the file cannot be read to its end, what was read counts.
          await merges.finish()
        }
        this.#endRow()
      } finally {
        progress.stop()
        // Stops the process that writes to the pipe.
        input.destroy()
      }
    } catch (error) {
      if (this.#cli.isStopped) return
      this.#endRow()
      const reason = reasonOf(error)
      if (reason === undefined) throw error
      this.#fail({ file: name, message: reason })
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
        if (record.bytes > MAX_RECORD_BYTES) throw new Failure(`larger than ${MAX_RECORD_BYTES} bytes; split it`)
      }
    }
    if (areSessions === null) for (const each of held) await this.#importRecord(each, file)
    else if (!areSessions) await this.#importWhole(held, file)
  }

  async #importRecord(record: FileRecord, { name, source, merges, progress }: OpenFile): Promise<void> {
    const read = this.#read(record, source)
    await merges.add('session' in read ? read.session : null, record.bytes, merged => {
      this.#report({ file: name, line: record.line }, read, merged)
      progress.advance(record.bytes)
    })
  }

  /** A line that is not JSON is left out and reported; the others are imported. */
  async #importWhole(records: readonly FileRecord[], { name, source, merges, progress }: OpenFile): Promise<void> {
    const values = records.flatMap(({ value }) => ('json' in value ? [value.json] : []))
    const { workspace: workspaceId } = this.#options
    const { sessions, problems } = readToolFile(values, { source, format: this.#format, workspaceId })
    for (const { line, value } of records) {
      if ('problem' in value) this.#fail({ file: name, line, message: `left out: ${value.problem}` })
    }
    this.#failInPart(problems.map(message => ({ file: name, message: `imported, but ${message}` })))
    const bytes = records.at(-1)?.bytes ?? 0
    for (const [index, session] of sessions.entries()) {
      const read = { stray: null, session, problems: [], notes: [] }
      const done = (bytes * (index + 1)) / sessions.length
      await merges.add(session, done, merged => {
        this.#report({ file: name }, read, merged)
        progress.advance(done)
      })
    }
  }

  get #format(): Format | undefined {
    return formatByName(this.#options.format ?? '')
  }

  #read({ place, value }: FileRecord, source: RecordSource): ReadRecord {
    const stray = strayKind(value)
    try {
      if ('problem' in value) throw new Unreadable(value.problem)
      const { workspace: workspaceId } = this.#options
      return { stray, ...readSession(value, { source, place, format: this.#format, workspaceId }) }
    } catch (error) {
      return { stray, error }
    }
  }

  /** @param merged null if there was no session to merge */
  #report(at: Place, read: ReadRecord, merged: Merged | null): void {
    if (this.#cli.isStopped) return
    const { stray } = read
    if (stray !== this.#row.kind) this.#endRow(stray)
    if (stray !== null && ++this.#row.length > stray.limit) {
      this.#leftOut++
      this.#row.from ??= at
      return
    }
    try {
      if ('error' in read) throw read.error
      for (const message of read.notes) this.#note({ ...at, message })
      if (merged === null) return
      const result = merged()
      this.#counts.add(result)
      this.#failInPart(read.problems.map(message => ({ ...at, message: `imported, but ${message}` })))
      for (const where of result.contradictions) this.#problems.push({ ...at, message: contradictionSentence(where) })
      for (const message of contradictionSentences(result.contradictions)) this.#cli.fail(sentence({ ...at, message }))
    } catch (error) {
      // The store is at fault, so the next record would fail too.
      if (isOfStore(error)) throw error
      this.#leftOut++
      this.#fail({ ...at, message: problemOf(error) })
    }
  }

  /** Reports how many records of the run were not reported one by one. */
  #endRow(next: Stray | null = null): void {
    const { kind, length, from } = this.#row
    this.#row = { kind: next, length: 0 }
    if (kind === null || from === undefined) return
    const rest = length - kind.limit
    this.#fail({ ...from, message: `${rest} more from here on ${rest === 1 ? kind.one : kind.many}` })
  }

  #fail(report: Report): void {
    this.#problems.push(report)
    this.#cli.fail(sentence(report))
  }

  /** Reports the problems of a record that was imported. */
  #failInPart(problems: readonly Report[]): void {
    this.#problems.push(...problems)
    const isMany = problems.length > MAX_LINES
    const shown = isMany ? problems.slice(0, MAX_LINES - 1) : problems
    for (const report of shown) this.#cli.fail(sentence(report))
    const [first] = problems
    if (first === undefined || !isMany) return
    const others = `imported, but has ${problems.length - shown.length} more kinds of problems (listed by --json)`
    this.#cli.fail(sentence({ ...first, message: others }))
  }

  #note(report: Report): void {
    this.#notes.push(report)
    this.#cli.note(sentence(report))
  }

  async finish(): Promise<void> {
    const leftOut = this.#leftOut
    if (this.#options.json !== true) {
      await this.#cli.printLine(this.#counts.sentence({ 'left out': leftOut }))
      return
    }
    const { members } = this.#counts
    await this.#cli.printJson({ ...members, leftOut, problems: this.#problems, notes: this.#notes })
  }
}

/** A file that is being imported. */
interface OpenFile {
  readonly name: string
  readonly source: RecordSource
  readonly merges: MergeInOrder
  readonly progress: Progress
}

type ReadRecord = { readonly stray: Stray | null } & (ReturnType<typeof readSession> | { readonly error: unknown })

function strayKind(value: FileRecord['value']): Stray | null {
  if (!('json' in value) || !isObject(value.json)) return NO_OBJECT
  if (isMessage(value.json)) return MESSAGE
  return Object.hasOwn(value.json, 'messages') || isSessionRecord(value.json) ? null : OTHER
}

class Unreadable extends Error {}

function problemOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (isTurnstoreError(error, 'SESSION_EXISTS')) {
    return 'left out: its id is in use in another workspace'
  }
  return `left out: ${messageOf(error)}`
}

const storeErrors = new Set(['STORE_CLOSED', 'STORE_BUSY', 'STORE_UNAVAILABLE'])

function isOfStore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && storeErrors.has(String(error.code))
}

function sentence({ file, line, message }: Report): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`
}

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
