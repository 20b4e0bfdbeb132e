import { addAbortSignal, type Readable, type Writable } from 'node:stream'
import { isTurnstoreError, printable, printableLine, type SessionStore } from '@turnstore/core'
import { openStore } from '../stores/open-store.js'

/** A wrong argument. Exit code 2. */
export class UsageError extends Error {}

/** A failure whose message is shown as it is. Exit code 1. */
export class Failure extends Error {}

/** What a run reads and writes: the process, or substitutes for it in tests. */
export interface Surroundings {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
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
  readonly #stores: SessionStore[] = []
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
    const chosen = url ?? this.env.TURNSTORE_URL
    if (chosen === undefined || chosen === '') {
      throw new UsageError(`No store given: use ${option} URL or set TURNSTORE_URL`)
    }
    try {
      const store = await openStore(chosen, { mustExist: option !== '--to' })
      this.#stores.push(store)
      if (this.#exitCode !== null) await store.close()
      // Reports problems of the store here, not as problems of the first session.
      await store.ready()
      return store
    } catch (error) {
      if (isTurnstoreError(error, 'INVALID_ARGUMENT')) throw new UsageError(error.message)
      throw error
    }
  }

  /** Aborts the input when the run stops, so that Ctrl-C also ends a wait for input. */
  untilStopped<T extends Readable>(input: T): T {
    return addAbortSignal(this.#interrupt.signal, input)
  }

  get isStopped(): boolean {
    return this.#exitCode !== null
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

  /** Prints JSON. Safe on a terminal too: all control characters are escaped. */
  async printJson(value: unknown): Promise<void> {
    await this.print(`${jsonText(value, 2)}\n`)
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

/** JSON without raw control characters or characters that change the text direction. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** One sentence about an error. Hides messages of foreign errors, which might quote a session. */
export function messageOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof Failure || isTurnstoreError(error)) return error.message
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  const name = error instanceof Error ? error.name : 'Error'
  return `Unexpected ${name}${code}`
}

export function withoutPasswords(text: string): string {
  return text.replace(/\/\/[^\s/@]*@/g, '//…@')
}

/** `1 session`, `2,000 sessions`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`
}
