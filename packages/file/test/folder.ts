import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isTurnstoreError, type SessionChange, type SessionRecord, type TurnstoreError } from '@turnstore/core'
import { afterEach, beforeEach } from 'vitest'
import { FileSessionStore, type FileSessionStoreOptions } from '../src/index.ts'

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)))

export const isRoot = process.getuid?.() === 0
export const isLinux = process.platform === 'linux'

/** How many rounds the tests with random moments make: `TURNSTORE_THOROUGH=20` makes twenty times as many. */
export const thoroughness = Number(process.env.TURNSTORE_THOROUGH ?? 1)

export const at = '2026-01-31T12:00:00Z'

export const append = (...turnIds: string[]): SessionChange => ({
  appendTurns: turnIds.map(turnId => ({ turnId, prompt: `prompt of ${turnId}` })),
  updatedAt: at,
})

export const turnIdsOf = (session: SessionRecord | null): string[] | null => session && session.turns.map(turn => turn.turnId)

/** Another process. */
export class Child {
  readonly process: ChildProcess
  /** What it printed to its standard error. */
  errors = ''
  readonly #lines: AsyncIterator<string>
  readonly #closed: Promise<unknown>

  constructor(program: ChildProcess) {
    if (program.stdout === null) throw new Error('a child without stdout')
    this.process = program
    this.#lines = createInterface(program.stdout)[Symbol.asyncIterator]()
    program.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    this.#closed = once(program, 'close')
  }

  /** The next line that it prints; null when it ended. */
  async line(): Promise<string | null> {
    const next = await this.#lines.next()
    return next.done === true ? null : next.value
  }

  /** All lines that are left, until it ends. */
  async rest(): Promise<string[]> {
    const lines: string[] = []
    for (let line = await this.line(); line !== null; line = await this.line()) lines.push(line)
    await this.#closed
    return lines
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal)
    await this.#closed
  }
}

export interface RunOptions {
  /** What stands before `node` on the command line: `strace …`, `prlimit …`. */
  readonly under?: readonly string[]
  readonly base?: string
  readonly options?: FileSessionStoreOptions
  readonly env?: Readonly<Record<string, string>>
  /** Who it becomes; needs root. */
  readonly uid?: number
}

/** A folder for each test, with the stores and the processes that it opens on it. All are gone afterwards. */
export class Folder {
  base = ''
  #stores: FileSessionStore[] = []
  #children: Child[] = []

  constructor() {
    beforeEach(() => {
      this.base = realpathSync(mkdtempSync(join(tmpdir(), 'turnstore-file-')))
      this.#stores = []
      this.#children = []
    })
    afterEach(async () => {
      for (const child of this.#children) {
        if (child.process.exitCode === null && child.process.signalCode === null) await child.kill()
      }
      for (const store of this.#stores) await store.close().catch(() => undefined)
      rmSync(this.base, { recursive: true, force: true })
    })
  }

  path(...names: string[]): string {
    return join(this.base, ...names)
  }

  open(options: FileSessionStoreOptions = {}, base: string = this.base): FileSessionStore {
    const store = new FileSessionStore(base, options)
    this.#stores.push(store)
    return store
  }

  /** Opens a store, does one thing with it, and closes it again. */
  async once<T>(work: (store: FileSessionStore) => Promise<T>): Promise<T> {
    const store = this.open()
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  /**
   * Another process that runs `code` with a `store` on the same folder. `say` prints a line that has
   * left the process when it returns; `append` makes the same change as the one here.
   */
  run(code: string, { under = [], base = this.base, options = {}, env = {}, uid }: RunOptions = {}): Child {
    const program = `import { FileSessionStore } from '@turnstore/file'
      import { SessionManager } from '@turnstore/core'
      import * as fs from 'node:fs'
      import { createInterface } from 'node:readline'
      import { setTimeout as sleep } from 'node:timers/promises'
      const base = ${JSON.stringify(base)}, at = ${JSON.stringify(at)}
      const open = () => new FileSessionStore(base, ${JSON.stringify(options)})
      const store = open()
      const manager = new SessionManager(store)
      const say = line => fs.writeSync(1, line + '\\n')
      const append = (...ids) => ({ appendTurns: ids.map(turnId => ({ turnId, prompt: 'prompt of ' + turnId })), updatedAt: at })
      const codeOf = error => error.code + ' ' + (error.outcome ?? '')
      ${uid === undefined ? '' : `process.setgid(${uid}); process.setuid(${uid})`}
      ${code}`
    const [command = process.execPath, ...before] = under
    const node = ['--no-warnings', '--input-type=module', '-e', program]
    const args = under.length === 0 ? node : [...before, process.execPath, ...node]
    const child = new Child(
      spawn(command, args, {
        cwd: packageFolder,
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      }),
    )
    child.process.stdin?.on('error', () => undefined)
    this.#children.push(child)
    return child
  }
}

/** The error that a call fails with. */
export async function failureOf(call: Promise<unknown>): Promise<TurnstoreError> {
  try {
    await call
  } catch (error) {
    if (isTurnstoreError(error)) return error
    throw error
  }
  throw new Error('the call succeeded')
}
