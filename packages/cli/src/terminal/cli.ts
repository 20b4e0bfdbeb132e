import { addAbortSignal, type Readable, type Writable } from 'node:stream'
import { isTurnstoreError, printable, printableLine, type SessionStore } from '@turnstore/core'
import { openStore } from '../stores/open-store.js'

/** A wrong argument: told with exit code 2. */
export class UsageError extends Error {}

/** Something that failed and is to be told as it is, with exit code 1. */
export class Failure extends Error {}

/** What a run reads and writes: of the process, or of whoever runs the command within one. */
export interface Surroundings {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * One run of the command: where it prints, the stores that it opened, and how it ends. Results go to
 * stdout; problems and progress to stderr.
 */
export class Cli {
  readonly stdin: Surroundings['stdin']
  readonly stdout: Surroundings['stdout']
  readonly stderr: Surroundings['stderr']
  readonly env: Surroundings['env']
  /** Something could not be done and was told, while the rest went on. */
  failed = false
  readonly #stores: SessionStore[] = []
  readonly #interrupt = new AbortController()
  #exitCode: number | null = null
  /** Writes a line to stderr. A progress bar makes room for it. */
  writeNote: (line: string) => void = line => {
    this.stderr.write(line)
  }

  constructor({ stdin, stdout, stderr, env }: Surroundings) {
    this.stdin = stdin
    this.stdout = stdout
    this.stderr = stderr
    this.env = env
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      // Who reads our output has enough, as `head` does. That is no failure.
      const isRead = error.code === 'EPIPE'
      if (!isRead && !this.isStopped) this.note(`The output could not be written (${error.code ?? error.name})`)
      this.stop(isRead ? 0 : 1)
    })
    stderr.on('error', () => {})
  }

  /** Lets the writes under way end, and refuses all others: nothing is half written. */
  stop(exitCode: number): void {
    this.#exitCode ??= exitCode
    this.#interrupt.abort()
    void this.close()
  }

  /** Opens the store that an option names, or `TURNSTORE_URL`. Only what is written `--to` is created. */
  async open(url: string | undefined, option: string): Promise<SessionStore> {
    const chosen = url ?? this.env.TURNSTORE_URL
    if (chosen === undefined || chosen === '') {
      throw new UsageError(`Say which store with ${option} URL, or in the variable TURNSTORE_URL`)
    }
    try {
      const store = await openStore(chosen, { mustExist: option !== '--to' })
      this.#stores.push(store)
      if (this.#exitCode !== null) await store.close()
      // What is wrong with the store is no fault of the first session that is read or written.
      await store.ready()
      return store
    } catch (error) {
      if (isTurnstoreError(error, 'INVALID_ARGUMENT')) throw new UsageError(error.message)
      throw error
    }
  }

  /** Ends with the run: who waits for input when Ctrl-C comes waits no longer. */
  untilStopped<T extends Readable>(input: T): T {
    return addAbortSignal(this.#interrupt.signal, input)
  }

  get isStopped(): boolean {
    return this.#exitCode !== null
  }

  /** Writes to stdout and waits while its reader is slow. */
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

  /** JSON for programs. Harmless on a terminal too: what JSON leaves unescaped of control characters is escaped. */
  async printJson(value: unknown): Promise<void> {
    await this.print(`${jsonText(value, 2)}\n`)
  }

  /** A line about something that was done. It is told after Ctrl-C too: what is gone must not go unsaid. */
  async reportLine(line: string): Promise<void> {
    await this.#write(`${printable(line)}\n`)
  }

  /** The same as JSON for programs. */
  async reportJson(value: unknown): Promise<void> {
    await this.#write(`${jsonText(value, 2)}\n`)
  }

  /** A line on stderr that is no failure. */
  note(message: string): void {
    this.writeNote(`${withoutPasswords(printableLine(message))}\n`)
  }

  /** Tells that something could not be done; the rest goes on, and the exit code is 1. */
  fail(message: string): void {
    this.failed = true
    this.note(message)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#stores.splice(0).map(store => store.close()))
  }

  /** The exit code, once everything is done. `error` is what the command threw, if it did. */
  exitCode(error?: unknown): number {
    if (this.#exitCode !== null) return this.#exitCode
    if (error === undefined) return this.failed ? 1 : 0
    this.fail(messageOf(error))
    // What a record holds is told where it is read: here it is about an argument.
    const isUsage =
      error instanceof UsageError ||
      isTurnstoreError(error, 'INVALID_ARGUMENT') ||
      isTurnstoreError(error, 'INVALID_ID')
    return isUsage ? 2 : 1
  }
}

/** JSON whose text holds no control character and none that turns the direction of writing. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** What went wrong in a sentence. The message of a foreign error might quote a session. */
export function messageOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof Failure || isTurnstoreError(error)) return error.message
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  const name = error instanceof Error ? error.name : 'Error'
  return `Unexpected ${name}${code}`
}

export function withoutPasswords(text: string): string {
  return text.replace(/\/\/[^\s/@]*@/g, '//…@')
}

/** `1 session`, `2 sessions`, with a comma between thousands. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`
}
