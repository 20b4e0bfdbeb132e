import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { pathToFileURL } from 'node:url'
import { addAbortSignal, type Readable } from 'node:stream'
import { isTurnstoreError, printable, printableLine, type SessionStore } from '@turnstore/core'
import { databaseIn, openStore, type OpenOptions } from '../stores/open-store.js'
import { copyReadOnly, isReadOnly, type ReadOnlyCopy } from '../stores/read-only-copy.js'
import { isNetwork, labelOf, withAdvice } from '../stores/store-label.js'
import { type Paint, paintFor } from './colors.js'
import { inOwnWords } from './own-words.js'
import type { RunSummary } from './run-summary.js'
import type { Surroundings } from './surroundings.js'
import { DEFAULT_TIMEOUT_MS, noteWaiting } from './waiting.js'

/** A wrong argument. Exit code 2. */
export class UsageError extends Error {}

/** A failure whose message is shown as it is. Exit code 1. */
export class Failure extends Error {}

/** A store whose URL is valid, but that was not connected to or created yet. */
export interface ChosenStore {
  /** Connects, or creates what does not exist. */
  ready(): Promise<SessionStore>
  /** Says so if a server does not answer. For work that waits for nothing else. */
  answer<T>(work: Promise<T>): Promise<T>
}

/**
 * One run of the command: its output, its open stores and its exit code. Results go to stdout; problems and progress
 * go to stderr.
 */
export class Cli {
  readonly stdin: Surroundings['stdin']
  readonly stdout: Surroundings['stdout']
  readonly stderr: Surroundings['stderr']
  readonly env: Surroundings['env']
  /** Whether a failure was reported that did not end the run. */
  failed = false
  /** The options of all commands that stores take. */
  storeOptions: Pick<OpenOptions, 'timeoutMs' | 'limits' | 'adapters'> = {}
  #summary: RunSummary | null = null
  readonly #stores: SessionStore[] = []
  readonly #copies: ReadOnlyCopy[] = []
  readonly #interrupt = new AbortController()
  #exitCode: number | null = null
  /** Writes a line to stderr. A progress bar replaces this to stay below the line. */
  writeNote: (line: string) => void = line => {
    this.stderr.write(line)
  }

  constructor({ stdin, stdout, stderr, env }: Surroundings) {
    this.stdin = stdin
    this.stdout = stdout
    this.stderr = stderr
    this.env = env
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      // The reader closed the pipe, as `head` does. That is not a failure.
      const isPipeClosed = error.code === 'EPIPE'
      if (!isPipeClosed && !this.isStopped) this.note(`Cannot write the output (${error.code ?? error.name})`)
      this.stop(isPipeClosed ? 0 : 1)
    })
    stderr.on('error', () => {})
  }

  /** Finishes the writes in progress and refuses new ones, so nothing is half written. */
  stop(exitCode: number): void {
    this.#exitCode ??= exitCode
    this.#interrupt.abort()
    void this.close()
  }

  /** Opens the store of an option, or of `TURNSTORE_URL`. Only `--to` creates a store that does not exist. */
  async open(url: string | undefined, option: string): Promise<SessionStore> {
    return (await this.choose(url, option)).ready()
  }

  /** The same for a command that only reads: it reads a copy of a SQLite database that may not be written. */
  async openToRead(url: string | undefined, option: string): Promise<SessionStore> {
    const chosen = url ?? this.env.TURNSTORE_URL ?? ''
    const isOwn = Object.hasOwn(this.storeOptions.adapters ?? {}, 'sqlite')
    const path = isOwn ? null : await asUsage((async () => databaseIn(chosen))())
    if (path === null || !isReadOnly(path)) return this.open(url, option)
    const copy = await copyReadOnly(path)
    this.#copies.push(copy)
    this.note(`${labelOf(chosen)} may not be written here, and SQLite writes to read: a copy of it is read`)
    // An absolute path may be any name, percent-encoded.
    return this.open(`sqlite:${pathToFileURL(copy.path).href.slice('file:'.length)}`, option)
  }

  /** Checks the URL, as {@link open} does, but does not connect to the store or create it. */
  async choose(url: string | undefined, option: string): Promise<ChosenStore> {
    const chosen = url ?? this.env.TURNSTORE_URL
    if (chosen === undefined || chosen === '') {
      throw new UsageError(`No store given: use ${option} URL or set TURNSTORE_URL`)
    }
    const store = await asUsage(openStore(chosen, { ...this.storeOptions, mustExist: option !== '--to' }))
    this.#stores.push(store)
    return {
      ready: () => this.#ready(store, chosen),
      // A local store works as long as it is silent.
      answer: work => (isNetwork(chosen) ? this.#answer(work, chosen) : work),
    }
  }

  /** Reports problems of the store here, not as problems of the first session. */
  async #ready(store: SessionStore, url: string): Promise<SessionStore> {
    if (this.isStopped) await store.close()
    try {
      await this.#answer(asUsage(store.ready()), url)
      return store
    } catch (error) {
      throw withAdvice(error, url)
    }
  }

  async #answer<T>(work: Promise<T>, url: string): Promise<T> {
    const stopWaiting = noteWaiting(labelOf(url), this.storeOptions.timeoutMs ?? DEFAULT_TIMEOUT_MS, line => {
      if (!this.isStopped) this.note(line)
    })
    try {
      return await work
    } finally {
      stopWaiting()
    }
  }

  /** Whether someone reads questions and can answer them. */
  get canAsk(): boolean {
    return this.stdin.isTTY === true && this.stderr.isTTY === true
  }

  /** Asks for consent on a terminal. True without one: a script cannot answer. */
  async confirm(question: string): Promise<boolean> {
    if (!this.canAsk) return true
    this.stderr.write(`${printableLine(question)} [y/N] `)
    // Not as a terminal, which would catch Ctrl-C.
    const answers = createInterface({ input: this.untilStopped(this.stdin), terminal: false })
    try {
      for await (const answer of answers) return /^y(es)?$/i.test(answer.trim())
    } catch (error) {
      if (!this.isStopped) throw error
    } finally {
      answers.close()
    }
    // Ctrl-C or Ctrl-D left the cursor after the question.
    this.stderr.write('\n')
    return false
  }

  /** For a command that serves until the run stops. */
  async untilStop(): Promise<void> {
    if (!this.isStopped) await once(this.#interrupt.signal, 'abort')
  }

  /** Aborts the input when the run stops, so that Ctrl-C also ends a wait for input. */
  untilStopped<T extends Readable>(input: T): T {
    return addAbortSignal(this.#interrupt.signal, input)
  }

  /** Styles text for stdout. */
  get paint(): Paint {
    return paintFor(this.stdout, this.env)
  }

  /** Columns of the terminal that stdout is; undefined if it is none. */
  get width(): number | undefined {
    const { isTTY, columns = 0 } = this.stdout
    // Some terminals do not say, or say 0.
    return isTTY === true ? columns || 80 : undefined
  }

  get isStopped(): boolean {
    return this.#exitCode !== null
  }

  /** Whether a signal ended the run, such as that of Ctrl-C. */
  get isInterrupted(): boolean {
    return this.#exitCode !== null && this.#exitCode > 128
  }

  /** Registers what the command does, so that it is summed up however the run ends. */
  sumUp(summary: RunSummary): void {
    this.#summary = summary
  }

  /** Prints the summary once. `isWhole`: whether the command did all that it was asked to do. */
  async printSummary(isWhole: boolean): Promise<void> {
    const summary = this.#summary
    this.#summary = null
    if (summary === null || (!isWhole && !this.isStopped && summary.isEmpty?.() === true)) return
    const text = summary.text()
    if (summary.isJson) await this.reportJson(summary.json(isWhole))
    else if (text !== null && (isWhole || summary.toGoOn === undefined)) await this.reportLine(text)
    if (isWhole || summary.toGoOn === undefined) return
    const doubt = summary.doubt?.() ?? ''
    this.note(`${this.isInterrupted ? 'Interrupted' : 'Stopped'} after ${text ?? 'nothing'}${doubt}. ${summary.toGoOn}`)
  }

  /** Resolves when all output has left the process. */
  async flush(): Promise<void> {
    await Promise.all(
      [this.stdout, this.stderr].map(stream => new Promise<void>(done => stream.write('', () => done()))),
    )
  }

  /** Writes to stdout, with backpressure. */
  async print(text: string): Promise<void> {
    if (!this.isStopped) await this.#write(text)
  }

  async #write(text: string): Promise<void> {
    await new Promise<void>(resolve => {
      this.stdout.write(text, () => resolve())
    })
  }

  async printLine(line: string): Promise<void> {
    await this.print(`${printable(line)}\n`)
  }

  /** Prints a line that is printable except for its styles. */
  async printStyled(line: string): Promise<void> {
    await this.print(`${line}\n`)
  }

  /** Prints JSON. Safe on a terminal too: all control characters are escaped. */
  async printJson(value: unknown): Promise<void> {
    await this.print(`${jsonText(value, 2)}\n`)
  }

  /** Prints JSON in one line. */
  async printJsonLine(value: unknown): Promise<void> {
    await this.print(`${jsonText(value)}\n`)
  }

  /** Prints a line even after Ctrl-C: every deletion is reported. */
  async reportLine(line: string): Promise<void> {
    await this.#write(`${printable(line)}\n`)
  }

  /** Like {@link reportLine}, as JSON. */
  async reportJson(value: unknown): Promise<void> {
    await this.#write(`${jsonText(value, 2)}\n`)
  }

  /** Prints a line to stderr. Not a failure. */
  note(message: string): void {
    this.writeNote(`${withoutPasswords(printableLine(message))}\n`)
  }

  /** Reports a failure and continues. The exit code is 1. */
  fail(message: string): void {
    this.failed = true
    this.note(message)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#stores.splice(0).map(store => store.close()))
    for (const copy of this.#copies.splice(0)) copy.remove()
  }

  /** The exit code of the finished run. `error`: what the command threw, if anything. */
  exitCode(error?: unknown): number {
    if (this.#exitCode !== null) return this.#exitCode
    if (error === undefined) return this.failed ? 1 : 0
    this.fail(messageOf(error))
    // Problems of records are reported where they are read, so here these codes concern an argument.
    const isUsage =
      error instanceof UsageError ||
      isTurnstoreError(error, 'INVALID_ARGUMENT') ||
      isTurnstoreError(error, 'INVALID_ID')
    return isUsage ? 2 : 1
  }
}

/** What is wrong with an argument of a store is wrong with the command's. */
async function asUsage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isTurnstoreError(error, 'INVALID_ARGUMENT')) throw new UsageError(inOwnWords(error))
    throw error
  }
}

/** JSON without raw control characters or characters that change the text direction. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** One sentence about an error. Hides messages of foreign errors, which might quote a session. */
export function messageOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof Failure) return error.message
  if (isTurnstoreError(error)) return inOwnWords(error)
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  const name = error instanceof Error ? error.name : 'Error'
  return `Unexpected ${name}${code}`
}

export function withoutPasswords(text: string): string {
  return text.replace(/\/\/[^\s/@]*@/g, '//…@')
}
