import { expect, it } from 'vitest'
import { isTurnstoreError, SessionManager } from '../../src/index.ts'
import { MapStore } from '../map-store.ts'

const ROUNDS = 500
const IDLE_MS = 60_000

/** Takes over the turns in which nothing was stored for a minute. Returns the sessions that it took. */
async function recover(manager: SessionManager, now: number): Promise<string[]> {
  const taken: string[] = []
  const query = { lastTurnStatus: 'running', updatedBefore: new Date(now - IDLE_MS).toISOString() }
  for await (const { sessionId, revision, lastTurn } of manager.sessions(query)) {
    try {
      await manager.interruptTurn(sessionId, lastTurn?.turnId ?? '', { ifRevision: revision })
      taken.push(sessionId)
    } catch (error) {
      if (!isTurnstoreError(error, 'REVISION_CONFLICT')) throw error
    }
  }
  return taken
}

it('of four workers that look for interrupted turns, one takes each, and none takes a living one', async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const store = new MapStore()
  const workers = Array.from({ length: 4 }, () => new SessionManager(store, { now: () => new Date(now) }))
  const [first] = workers
  if (first === undefined) throw new Error('no worker')
  for (let round = 0; round < ROUNDS; round++) {
    const dead = `dead ${round}`
    const living = `living ${round}`
    for (const sessionId of [dead, living]) {
      await first.startSession({ sessionId })
      await first.recordMessages(sessionId, [{ role: 'user', content: sessionId }])
    }
    now += 2 * IDLE_MS
    // The living one has a sign of life, and goes on while the others look.
    await first.recordMessages(living, [{ role: 'assistant', content: 'Let me see' }])
    const work = first.recordMessages(living, [{ role: 'assistant', content: 'Here' }])
    const taken = await Promise.all(workers.map(worker => recover(worker, now)))
    await work
    expect(taken.flat()).toEqual([dead])
    const [turn] = await first.getTurns(living)
    expect([turn?.status, turn?.responseContent]).toEqual(['running', 'Here'])
    await first.deleteSession(dead)
    await first.deleteSession(living)
  }
})
