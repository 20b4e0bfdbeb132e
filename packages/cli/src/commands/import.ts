import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { isTurnstoreError, type SessionStore } from '@turnstore/core'
import { Command } from 'commander'
import { type Cli, Failure, messageOf, UsageError } from '../terminal/cli.js'
import { contradictionSentence, contradictionSentences } from '../output/contradiction-sentences.js'
import { mergeIntoStore } from '../merge/merge-into-store.js'
import { MergeCounts } from '../output/merge-counts.js'
import { workspaceOption } from '../terminal/options.js'
import { isObject } from '../input/parse-json.js'
import { Progress } from '../output/progress.js'
import { type FileRecord, readRecords } from '../input/read-records.js'
import { type RecordSource, sourceOf, unnamedSource } from '../input/record-source.js'
import { isMessage, readSession } from '../input/transcript.js'

interface ImportOptions {
  readonly to?: string
  readonly workspace?: string
  readonly json?: true
}

interface Told {
  file: string
  line?: number
  message: string
}

/** For one record. */
const MAX_LINES = 5

/** What shows a file of another kind where many stand one after the other: so many are told, then how many more. */
interface Stray {
  readonly told: number
  readonly one: string
  readonly many: string
}

const NO_OBJECT: Stray = { told: 10, one: 'is no JSON object', many: 'are no JSON objects' }
const MESSAGE: Stray = { told: 1, one: 'is a single message', many: 'are single messages' }

export function importCommand(cli: Cli): Command {
  return new Command('import')
    .description('import transcripts or exported sessions')
    .argument('<file...>', 'files to read, - for stdin')
    .option('--to <url>', 'the store to import into (default: TURNSTORE_URL)')
    .addOption(workspaceOption('the workspace that the sessions go into'))
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      `
Reads JSON Lines, a JSON array or a JSON object of
  - transcripts, { "id", "messages", "metadata" }, the messages in the chat-completions format;
  - sessions as turnstore export writes them.

Importing again adds nothing. A transcript that has grown adds what is new. Import never removes or changes what
the store has: where the store says something else, the place is reported and the exit code is 1. A transcript
without an id is named after its file and its place there, one from stdin after its content. What cannot be
read is reported with its line, and the rest goes in.

Examples:
  $ turnstore import chats.jsonl --to sqlite:./sessions.db
  $ turnstore import monday.jsonl tuesday.json --to file:./sessions --workspace acme
  $ zcat chats.jsonl.gz | turnstore import - --to file:./sessions`,
    )
    .action(async (files: string[], options: ImportOptions) => {
      if (files.indexOf('-') !== files.lastIndexOf('-')) throw new UsageError('stdin can be read only once; name - once')
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
  readonly #problems: Told[] = []
  readonly #notes: Told[] = []
  #leftOut = 0
  /** Records of one kind, one after the other. `from`: where the first stands that is not told. */
  #row: { kind: Stray | null; length: number; from?: Pick<Told, 'file' | 'line'> } = { kind: null, length: 0 }

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
      try {
        for await (const record of readRecords(input)) {
          await this.#readRecord(name, source, record)
          progress.advance(record.bytes)
        }
        this.#endRow()
      } finally {
        progress.stop()
        // Who writes to us need not write on.
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

  async #readRecord(file: string, source: RecordSource, { line, place, value }: FileRecord): Promise<void> {
    if (this.#cli.isStopped) return
    const kind = strayKind(value)
    if (kind !== this.#row.kind) this.#endRow(kind)
    if (kind !== null && ++this.#row.length > kind.told) {
      this.#leftOut++
      this.#row.from ??= { file, line }
      return
    }
    try {
      if ('problem' in value) throw new Unreadable(value.problem)
      const { session, problems, notes } = readSession(value, { source, place, workspaceId: this.#options.workspace })
      for (const message of notes) this.#note({ file, line, message })
      const result = await mergeIntoStore(this.#store, session)
      this.#counts.add(result)
      this.#failInPart(problems.map(message => ({ file, line, message: `is imported, but ${message}` })))
      for (const where of result.contradictions) this.#problems.push({ file, line, message: contradictionSentence(where) })
      for (const message of contradictionSentences(result.contradictions)) this.#cli.fail(sentence({ file, line, message }))
    } catch (error) {
      // Not the record's fault, and the next one would fare no better.
      if (this.#cli.isStopped || isOfStore(error)) throw error
      this.#leftOut++
      this.#fail({ file, line, message: problemOf(error) })
    }
  }

  /** Tells how many have not been told. */
  #endRow(next: Stray | null = null): void {
    const { kind, length, from } = this.#row
    this.#row = { kind: next, length: 0 }
    if (kind === null || from === undefined) return
    const untold = length - kind.told
    this.#fail({ ...from, message: `and ${untold} more from here on that ${untold === 1 ? kind.one : kind.many}` })
  }

  #fail(told: Told): void {
    this.#problems.push(told)
    this.#cli.fail(sentence(told))
  }

  /** The problems of one record that went in all the same. */
  #failInPart(problems: readonly Told[]): void {
    this.#problems.push(...problems)
    const isMany = problems.length > MAX_LINES
    const shown = isMany ? problems.slice(0, MAX_LINES - 1) : problems
    for (const told of shown) this.#cli.fail(sentence(told))
    const [first] = problems
    if (first === undefined || !isMany) return
    const others = `is imported, but has ${problems.length - shown.length} more kinds of problems, which --json tells`
    this.#cli.fail(sentence({ ...first, message: others }))
  }

  #note(told: Told): void {
    this.#notes.push(told)
    this.#cli.note(sentence(told))
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

function strayKind(value: FileRecord['value']): Stray | null {
  if (!('json' in value) || !isObject(value.json)) return NO_OBJECT
  return isMessage(value.json) ? MESSAGE : null
}

class Unreadable extends Error {}

function problemOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  if (isTurnstoreError(error, 'SESSION_EXISTS')) {
    return 'is left out: its id is in use in another workspace than the one that is imported into'
  }
  return `is left out: ${messageOf(error)}`
}

const storeErrors = new Set(['STORE_CLOSED', 'STORE_BUSY', 'STORE_UNAVAILABLE'])

function isOfStore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && storeErrors.has(String(error.code))
}

function sentence({ file, line, message }: Told): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`
}

/** Why a file could not be read, or not to its end. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof Failure) return error.message
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined
  return systemErrors.get(error.code) ?? `could not be read (${String(error.code)})`
}

const systemErrors = new Map<unknown, string>([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['EISDIR', 'is a folder, not a file'],
  ['EACCES', 'may not be read'],
  ['EPERM', 'may not be read'],
  ['EIO', 'could not be read to its end'],
])
