import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { at } from './sessions.ts'

/**
 * What a child's module begins with. `say` prints a line that has left the process when it returns, and
 * `append` makes the same change as the one of the tests.
 */
const prelude = `import * as fs from 'node:fs'
  import { createInterface } from 'node:readline'
  import { setTimeout as sleep } from 'node:timers/promises'
  const at = ${JSON.stringify(at)}
  const say = line => fs.writeSync(1, line + '\\n')
  const append = (...ids) => ({ appendTurns: ids.map(turnId => ({ turnId, prompt: 'prompt of ' + turnId })), updatedAt: at })
  const codeOf = error => error.code + ' ' + (error.outcome ?? '')
`

export interface ChildOptions {
  /** From where the packages that it imports are found. */
  readonly cwd: string
  /** What stands before `node` on the command line: `strace …`, `prlimit …`. */
  readonly under?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

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
    program.stdin?.on('error', () => undefined)
    program.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    this.#closed = once(program, 'close')
  }

  /** A process of this Node that runs a module. */
  static run(module: string, { cwd, under = [], env = {} }: ChildOptions): Child {
    const [command = process.execPath, ...before] = under
    const node = ['--no-warnings', '--input-type=module', '-e', prelude + module]
    const args = under.length === 0 ? node : [...before, process.execPath, ...node]
    return new Child(spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } }))
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

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal)
    await this.#closed
  }
}
