import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Child } from '../../../../scripts/testing/child.ts'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { type Server, startServer } from '../../../redis/test/servers.ts'

/*
 * Workers are killed in the middle of their turns. Four processes look for interrupted turns all the while, and take
 * them over as the documentation says.
 */

vi.setConfig({ testTimeout: 120_000 * thoroughness, hookTimeout: 60_000 })

/** In each kill, so many turns are running. */
const TURNS = 4
const KILLS = 4 * thoroughness
/** A turn in which nothing was stored for so long is taken over. */
const IDLE_MS = 3000

const folder = mkdtempSync(join(tmpdir(), 'turnstore-recovery-'))
const cwd = fileURLToPath(new URL('../..', import.meta.url))
let server: Server | undefined

beforeAll(async () => {
  server = await startServer()
})

afterAll(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const prelude = (url: string): string => `
  import { isTurnstoreError, SessionManager } from '@turnstore/core'
  import { openStore } from 'turnstore'
  const manager = new SessionManager(await openStore(${JSON.stringify(url)}))`

/** Records turns, several at once, until it is killed. A turn that it could not work on for too long is `stalled`. */
const worker = (url: string, name: string): string => `${prelude(url)}
  const turn = async sessionId => {
    let lived = Date.now()
    let isStalled = false
    const step = async set => {
      const updatedAt = new Date().toISOString()
      const { skipped } = await manager.store.changeSession(sessionId, { updatedAt, updateTurns: [{ turnId: 't', ifStatus: 'running', ...set }] })
      isStalled ||= Date.now() - lived > ${IDLE_MS / 2}
      lived = Date.now()
      if (skipped !== undefined) say((isStalled ? 'stalled ' : 'robbed ') + sessionId)
    }
    await manager.startSession({ sessionId })
    say('began ' + sessionId)
    lived = Date.now()
    await manager.recordTurn(sessionId, { turnId: 't', status: 'running' })
    const steps = 20 + Math.floor(Math.random() * 60)
    for (let n = 0; n < steps; n++) {
      await step({ putToolCalls: [{ callId: 'c' + n, toolName: 'f' }] })
      await sleep(Math.random() * 20)
    }
    await step({ set: { status: 'success' } })
    if (isStalled) say('stalled ' + sessionId)
  }
  const line = async n => { for (let round = 0; ; round++) await turn(${JSON.stringify(name)} + '-' + n + '-' + round) }
  await Promise.all(Array.from({ length: ${TURNS} }, (_, n) => line(n)))`

/** The loop of the documentation. */
const recoverer = (url: string): string => `${prelude(url)}
  say('ready')
  for (;;) {
    const updatedBefore = new Date(Date.now() - ${IDLE_MS}).toISOString()
    for await (const { sessionId, revision, lastTurn } of manager.sessions({ lastTurnStatus: 'running', updatedBefore })) {
      try {
        await manager.interruptTurn(sessionId, lastTurn.turnId, { ifRevision: revision })
        say(sessionId)
      } catch (error) {
        if (!isTurnstoreError(error, 'REVISION_CONFLICT')) throw error
      }
    }
    await sleep(Math.random() * 50)
  }`

/** A process, and what it printed so far. */
function watched(module: string): { child: Child; lines: string[]; ended: Promise<void> } {
  const child = Child.run(module, { cwd })
  const lines: string[] = []
  const read = async (): Promise<void> => {
    for (let line = await child.line(); line !== null; line = await child.line()) lines.push(line)
  }
  return { child, lines, ended: read() }
}

describe('each interrupted turn is taken by one of four processes, and no living one by any', () => {
  it.each(['sqlite', 'file', 'redis'])('in %s', async kind => {
    const url = kind === 'redis' ? (server?.url ?? '') : `${kind}:${join(folder, kind)}`
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    const recoverers = Array.from({ length: 4 }, () => watched(recoverer(url)))
    const workers: ReturnType<typeof watched>[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      const one = watched(worker(url, `w${kill}`))
      workers.push(one)
      const began = (): number => one.lines.filter(line => line.startsWith('began')).length
      while (began() < TURNS) {
        if (one.child.hasEnded) throw new Error(one.child.errors)
        await sleep(5)
      }
      await sleep(moments.next().value * 400)
      await one.child.kill()
      await one.ended
    }
    const told = (word: string): string[] =>
      workers.flatMap(({ lines }) =>
        lines.filter(line => line.startsWith(word)).map(line => line.slice(word.length + 1)),
      )
    const taken = (): string[] => recoverers.flatMap(({ lines }) => lines.filter(line => line !== 'ready'))

    const store = await openStore(url)
    const statusOf = async (id: string): Promise<string> => (await store.loadSummary(id))?.lastTurn?.status ?? 'none'
    const began = told('began')
    const stalled = new Set(told('stalled'))
    const deadline = Date.now() + 60_000
    while ((await Promise.all(began.map(statusOf))).includes('running') && Date.now() < deadline) await sleep(50)
    // Time to take one a second time.
    await sleep(300)
    for (const { child, ended } of recoverers) {
      await child.kill()
      await ended
      expect(child.errors).toBe('')
    }
    const counted = { seed, wrong: await wrongOf(began.filter(id => !stalled.has(id))), robbed: told('robbed') }
    await store.close()
    expect(counted).toEqual({ seed, wrong: [], robbed: [] })
    expect(taken().length).toBeGreaterThanOrEqual(KILLS)

    /** Those that were not taken exactly once although they were interrupted, or at all although they lived. */
    async function wrongOf(ids: readonly string[]): Promise<string[]> {
      const all = taken()
      const found = ids.map(async id => {
        const status = await statusOf(id)
        const times = all.filter(other => other === id).length
        const isRight = times === (status === 'interrupted' ? 1 : 0) && status !== 'running'
        return isRight ? [] : [`${id}: ${status}, taken ${times} times`]
      })
      return (await Promise.all(found)).flat()
    }
  })
})
