import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Child } from '../../../../scripts/testing/child.ts'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { startServer as startPostgres } from '../../../postgres/test/servers.ts'
import { startServer as startRedis } from '../../../redis/test/servers.ts'

/* Watchers in four processes, while others change, delete and create the sessions and are killed. */

vi.setConfig({ testTimeout: 120_000 * thoroughness, hookTimeout: 60_000 })

const PROCESSES = 4
const WATCHERS = 50
const SESSIONS = 20
const KILLS = 3 * thoroughness

const folder = mkdtempSync(join(tmpdir(), 'turnstore-watching-'))
const cwd = fileURLToPath(new URL('../..', import.meta.url))
const servers = new Map<string, { readonly url: string; stop(): Promise<void> }>()

beforeAll(async () => {
  servers.set('redis', await startRedis()).set('postgres', await startPostgres())
})

afterAll(async () => {
  for (const server of servers.values()) await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Says what each of its watches gave last, when it is asked. A watch that has ended begins again. */
const watcher = (url: string): string => `
  import { openStore } from 'turnstore'
  const store = await openStore(${JSON.stringify(url)})
  const last = Array.from({ length: ${WATCHERS} }, () => null)
  for (const index of last.keys()) void (async () => {
    for (;;) {
      for await (const { token, ...seen } of store.watchSession('s' + index % ${SESSIONS})) last[index] = seen
      await sleep(20)
    }
  })()
  say('ready')
  for await (const _line of createInterface({ input: process.stdin })) say(JSON.stringify(last))`

/** Changes sessions at random until it is killed. */
const writer = (url: string, seed: number): string => `
  import { isTurnstoreError } from '@turnstore/core'
  import { openStore } from 'turnstore'
  const store = await openStore(${JSON.stringify(url)})
  say('ready')
  for (let step = 0; ; step++) {
    const id = 's' + Math.floor(Math.random() * ${SESSIONS})
    const turnId = ${seed} + '-' + step
    const kind = Math.random()
    try {
      if (kind < 0.1) await store.deleteSession(id)
      else if (kind < 0.2) await store.saveSession({ sessionId: id, createdAt: new Date().toISOString(), turns: [{ turnId }] })
      else await store.changeSession(id, { appendTurns: [{ turnId, prompt: turnId }] }, { createIfMissing: {} })
    } catch (error) {
      if (!isTurnstoreError(error, 'STORE_BUSY')) throw error
    }
    await sleep(Math.random() * 5)
  }`

it.each(['sqlite', 'file', 'redis', 'postgres'])(
  'the last state that 200 watchers see is that of the session, in %s',
  async kind => {
    const url = servers.get(kind)?.url ?? `${kind}:${join(folder, kind)}`
    const first = await openStore(url)
    await first.ready()
    await first.close()
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    const watchers = Array.from({ length: PROCESSES }, () => Child.run(watcher(url), { cwd }))
    for (const each of watchers) expect([await each.line(), each.errors]).toEqual(['ready', ''])
    for (let kill = 0; kill < KILLS; kill++) {
      const writers = [0, 1].map(index => Child.run(writer(url, kill * 2 + index), { cwd }))
      for (const each of writers) expect([await each.line(), each.errors]).toEqual(['ready', ''])
      await sleep(300 + moments.next().value * 700)
      await Promise.all(writers.map(async each => each.kill()))
      expect(writers.map(({ errors }) => errors)).toEqual(['', ''])
    }

    const store = await openStore(url)
    // Every session is there at the end, and one more time changed.
    for (let index = 0; index < SESSIONS; index++) {
      await store.changeSession(`s${index}`, { setMetadata: { last: seed } }, { createIfMissing: {} })
    }
    const states = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, index) => {
        const summary = await store.loadSummary(`s${index}`)
        if (summary === null) throw new Error('the session is gone')
        const { revision, turnCount, lastTurn, updatedAt } = summary
        return { revision, turnCount, lastTurn, updatedAt }
      }),
    )
    await store.close()
    const wanted = Array.from({ length: WATCHERS }, (_, index) => states[index % SESSIONS])
    const deadline = Date.now() + 20_000
    for (const each of watchers) {
      let seen: unknown = null
      do {
        await sleep(100)
        each.process.stdin?.write('?\n')
        seen = JSON.parse((await each.line()) ?? 'null')
      } while (JSON.stringify(seen) !== JSON.stringify(wanted) && Date.now() < deadline)
      expect({ seed, seen }).toEqual({ seed, seen: wanted })
      await each.kill()
      expect(each.errors).toBe('')
    }
  },
)
