import { isTurnstoreError } from '@turnstore/core'
import type { FileRecord } from '../input/read-records.js'
import { isObject } from '../input/parse-json.js'
import { isMessage, isSessionRecord, type readSession } from '../input/transcript.js'
import type { Merged } from '../merge/merge-in-order.js'
import { type Cli, messageOf } from '../terminal/cli.js'
import { count, figure } from '../terminal/figure.js'
import type { RunSummary } from '../terminal/run-summary.js'
import { contradictionSentence, contradictionSentences } from './contradiction-sentences.js'
import { MergeCounts } from './merge-counts.js'

interface Report {
  file: string
  line?: number
  message: string
}

/** Where a record is. */
export type Place = Pick<Report, 'file' | 'line'>

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

export function strayKind(value: FileRecord['value']): Stray | null {
  if (!('json' in value) || !isObject(value.json)) return NO_OBJECT
  if (isMessage(value.json)) return MESSAGE
  return Object.hasOwn(value.json, 'messages') || isSessionRecord(value.json) ? null : OTHER
}

/** A record as it was read: a session, or why there is none. */
export type ReadRecord = { readonly stray: Stray | null } & (
  | ReturnType<typeof readSession>
  /** A sentence that says that it is left out, or what is wrong with its text. */
  | { readonly problem: string }
)

interface ImportReportOptions {
  readonly isJson: boolean
  /** The number of sessions that are being written. */
  readonly pending: () => number
}

/** What became of each record of an import. */
export class ImportReport implements RunSummary {
  readonly toGoOn = 'Run the same command again to go on: it adds what is missing'
  readonly isJson: boolean
  readonly #cli: Cli
  readonly #pending: () => number
  readonly #counts = new MergeCounts()
  readonly #problems: Report[] = []
  readonly #notes: Report[] = []
  #leftOut = 0
  #leftAlone = 0
  /** Sessions whose write failed in a way that does not tell whether they were stored. */
  #doubtful = 0
  /** A run of consecutive stray records of one kind. `from`: the first that was not reported. */
  #row: { kind: Stray | null; length: number; from?: Place } = { kind: null, length: 0 }

  constructor(cli: Cli, { isJson, pending }: ImportReportOptions) {
    this.#cli = cli
    this.isJson = isJson
    this.#pending = pending
  }

  /**
   * @param merged null if there was no session to merge
   * @throws the error of a store that cannot go on
   */
  add(at: Place, read: ReadRecord, merged: Merged | null): void {
    if (this.#cli.isStopped) {
      this.#addAfterStop(merged)
      return
    }
    const { stray } = read
    if (stray !== this.#row.kind) this.endRow(stray)
    if (stray !== null && ++this.#row.length > stray.limit) {
      this.#leftOut++
      this.#row.from ??= at
      return
    }
    if ('problem' in read) {
      this.#leftOut++
      this.fail({ ...at, message: read.problem })
      return
    }
    for (const message of read.notes) this.#note({ ...at, message })
    if (merged !== null) this.#addMerged(at, read.problems, merged)
  }

  #addMerged(at: Place, problems: readonly string[], merged: Merged): void {
    try {
      const result = merged()
      this.#counts.add(result)
      this.failInPart(problems.map(message => ({ ...at, message: `imported, but ${message}` })))
      for (const where of result.contradictions) this.#problems.push({ ...at, message: contradictionSentence(where) })
      for (const message of contradictionSentences(result.contradictions)) this.#cli.fail(sentence({ ...at, message }))
    } catch (error) {
      this.#noteDoubt(error)
      // The store is at fault, so the next record would fail too.
      if (isOfStore(error)) throw error
      if (isTurnstoreError(error, 'SESSION_EXISTS')) {
        this.#leftAlone++
        this.fail({ ...at, message: 'left alone: its id is in use in another workspace' })
      } else {
        this.#leftOut++
        this.fail({ ...at, message: `left out: ${messageOf(error)}` })
      }
    }
  }

  /** What was being written when the run was stopped counts. What the store refused then is left to the next run. */
  #addAfterStop(merged: Merged | null): void {
    try {
      if (merged !== null) this.#counts.add(merged())
    } catch (error) {
      this.#noteDoubt(error)
    }
  }

  #noteDoubt(error: unknown): void {
    if (isTurnstoreError(error) && error.outcome === 'unknown') this.#doubtful++
  }

  /** Reports how many records of the run were not reported one by one. */
  endRow(next: Stray | null = null): void {
    const { kind, length, from } = this.#row
    this.#row = { kind: next, length: 0 }
    if (kind === null || from === undefined) return
    const rest = length - kind.limit
    this.fail({ ...from, message: `${figure(rest)} more from here on ${rest === 1 ? kind.one : kind.many}` })
  }

  fail(report: Report): void {
    this.#problems.push(report)
    this.#cli.fail(sentence(report))
  }

  /** Reports the problems of a record that was imported. */
  failInPart(problems: readonly Report[]): void {
    this.#problems.push(...problems)
    const isMany = problems.length > MAX_LINES
    const shown = isMany ? problems.slice(0, MAX_LINES - 1) : problems
    for (const report of shown) this.#cli.fail(sentence(report))
    const [first] = problems
    if (first === undefined || !isMany) return
    const others = `imported, but has ${figure(problems.length - shown.length)} more kinds of problems (listed by --json)`
    this.#cli.fail(sentence({ ...first, message: others }))
  }

  #note(report: Report): void {
    this.#notes.push(report)
    this.#cli.note(sentence(report))
  }

  isEmpty(): boolean {
    return this.#counts.isEmpty && this.doubt() === ''
  }

  text(): string {
    return this.#counts.sentence({ 'left alone': this.#leftAlone, 'left out': this.#leftOut })
  }

  doubt(): string {
    const pending = this.#pending() + this.#doubtful
    return pending === 0 ? '' : `; ${count(pending, 'more session')} may have been stored`
  }

  json(isWhole: boolean): unknown {
    const others = { left_alone: this.#leftAlone, left_out: this.#leftOut }
    return {
      complete: isWhole,
      ...this.#counts.members,
      ...others,
      problems: this.#problems,
      notes: this.#notes,
    }
  }
}

const storeErrors = new Set(['STORE_CLOSED', 'STORE_BUSY', 'STORE_UNAVAILABLE'])

function isOfStore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && storeErrors.has(String(error.code))
}

function sentence({ file, line, message }: Report): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`
}
