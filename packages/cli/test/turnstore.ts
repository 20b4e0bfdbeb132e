import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { SessionRecord } from '@turnstore/core'
import { onTestFinished } from 'vitest'
import { Cli } from '../src/terminal/cli.ts'
import { openStore } from '../src/stores/open-store.ts'
import { run } from '../src/program.ts'

/** The command as it is published. */
export const bin: string = fileURLToPath(new URL('../dist/bin.js', import.meta.url))

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Starts the command in a separate process. */
export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const { TURNSTORE_URL: _unset, ...inherited } = process.env
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', bin, ...args], {
    env: { ...inherited, ...env },
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

export async function finished(child: ChildProcess, input?: string | Buffer): Promise<Finished> {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  if (input !== undefined) child.stdin?.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() })
    })
  })
}

/** Runs the command in this process, which is much faster than a process per run. */
export async function turnstore(
  args: readonly string[],
  { url, input = '', columns, env: more = {} }: RunOptions = {},
): Promise<Omit<Finished, 'signal'>> {
  const stdout = new Printed(columns)
  const stderr = new Printed(columns)
  const env = { ...more, ...(url === undefined ? {} : { TURNSTORE_URL: url }) }
  const stdin = Object.assign(Readable.from(chunksOf(input)), { isTTY: columns !== undefined })
  const code = await run(new Cli({ stdin, stdout, stderr, env }), args)
  return { code, stdout: await stdout.whole(), stderr: await stderr.whole() }
}

interface RunOptions {
  url?: string
  input?: string | Buffer
  /** Of a terminal. Without it, there is none. */
  columns?: number
  env?: Readonly<Record<string, string>>
}

export class Printed extends Writable {
  readonly #chunks: Buffer[] = []
  readonly isTTY: boolean
  readonly columns: number | undefined

  constructor(columns?: number) {
    super()
    this.isTTY = columns !== undefined
    this.columns = columns
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk)
    setImmediate(done)
  }

  async whole(): Promise<string> {
    await promisify(this.end.bind(this))()
    return Buffer.concat(this.#chunks).toString()
  }
}

/** Chunks of the size that a pipe delivers. */
function* chunksOf(input: string | Buffer): Generator<Buffer> {
  const bytes = Buffer.from(input)
  for (let from = 0; from < bytes.length; from += 2 ** 16) yield bytes.subarray(from, from + 2 ** 16)
}

export function parseObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text)
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** The objects of a printed JSON array or JSON Lines. */
export function parseObjects(text: string): Record<string, unknown>[] {
  const lines = text.startsWith('[')
    ? Object.values(parseObject(text)).map(item => JSON.stringify(item))
    : text.split('\n')
  return lines.filter(Boolean).map(parseObject)
}

/** A folder that is deleted after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnstore-cli-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** The URL of a new store. */
export function temporaryStore(): string {
  return `file:${join(temporaryFolder(), 'store')}`
}

export function lines(...records: unknown[]): string {
  return records.map(record => `${JSON.stringify(record)}\n`).join('')
}

export async function load(url: string, id: string): Promise<SessionRecord | null> {
  await using store = await openStore(url)
  return store.loadSession(id)
}

export async function ids(url: string): Promise<string[]> {
  await using store = await openStore(url)
  return (await store.listSessions()).toSorted()
}

/** Imports text from stdin, by default into a new store. */
export async function importText(
  text: string | Buffer,
  { url = temporaryStore(), args = [] }: { url?: string; args?: string[] } = {},
): Promise<{ url: string; code: number | null; stdout: string; stderr: string }> {
  return { ...(await turnstore(['import', '-', ...args], { url, input: text })), url }
}
