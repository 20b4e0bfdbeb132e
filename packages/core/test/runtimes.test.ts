import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vm from 'node:vm'
import { build } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { bun, deno } from '../../../scripts/runtimes.mjs'

/** A typical application: a store with four hooks, and a manager. Runs on every runtime. */
const scenario = `
import { SessionManager } from '@turnstore/core'
import { DocumentSessionStore, cloneSession } from '@turnstore/core/adapter'

class TinyStore extends DocumentSessionStore {
  capabilities = { durability: 'none', sharing: 'process', constantAppend: false }
  #sessions = new Map()
  async _get(id) {
    const session = this.#sessions.get(id)
    return session === undefined ? null : { session: cloneSession(session), token: session }
  }
  async _put(session, token) {
    if ((this.#sessions.get(session.sessionId) ?? null) !== token) return false
    this.#sessions.set(session.sessionId, session)
    return true
  }
  async _delete(id, token) {
    return this.#sessions.get(id) === token && this.#sessions.delete(id)
  }
  async _ids() {
    return [...this.#sessions.keys()]
  }
}

const manager = new SessionManager(new TinyStore())
const { sessionId } = await manager.startSession({ agentId: 'support' })
await Promise.all([1, 2, 3].map(n => manager.recordTurn(sessionId, { turnId: 't' + n, prompt: 'Hello ' + n })))
const { cursor, sessions } = await manager.querySessions()
const messages = await manager.getMessages(sessionId)
const result = { idLength: sessionId.length, revision: sessions[0].revision, cursor, prompts: messages.length }
`

const expected = { idLength: 32, revision: 4, cursor: null, prompts: 3 }

/** The first start of a 100 MB binary is slow because of the disk. */
const STARTING_MS = 60_000

const folder = mkdtempSync(join(tmpdir(), 'turnstore-runtimes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bundle(tail: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: scenario + tail, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('esbuild produced no file')
  return file.text
}

describe('core runs on every JavaScript runtime', () => {
  it('in a browser bundle, without Node globals', async () => {
    const code = await bundle('globalThis.report(JSON.stringify(result))')
    const reported = new Promise((resolve, reject) => {
      const { crypto, performance, setTimeout } = globalThis
      const context = vm.createContext({ crypto, performance, setTimeout, report: resolve })
      const run: unknown = vm.runInContext(`(async () => {${code}\n})()`, context)
      Promise.resolve(run).catch(reject)
    })
    expect(JSON.parse(String(await reported))).toEqual(expected)
  })

  it.each([
    ['Bun', bun, []],
    ['Deno', deno, ['run']],
  ] as const)(
    'in %s',
    async (_name, binary, options) => {
      const path = join(folder, 'scenario.mjs')
      writeFileSync(path, await bundle('console.log(JSON.stringify(result))'))
      const output = execFileSync(binary(), [...options, path], { encoding: 'utf8' })
      expect(JSON.parse(output)).toEqual(expected)
    },
    STARTING_MS,
  )
})
