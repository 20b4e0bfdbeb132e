import { PostgresSessionStore } from '@turnstore/postgres'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Proxy, startProxy } from '../../../../scripts/testing/proxy.ts'

const schema = 'round trips'

describe('round trips to the server', () => {
  let proxy: Proxy
  let pool: Pool
  let store: PostgresSessionStore
  let trips = 0
  beforeAll(async () => {
    const { server } = inject('addresses')
    proxy = await startProxy(Number(new URL(server).port))
    pool = new Pool({ connectionString: server.replace(/:\d+\//, `:${proxy.port}/`), max: 1 })
    store = new PostgresSessionStore({ pool, schema })
    const turns = [{ turnId: 'whole' }, { turnId: 'open', status: 'running' }]
    await store.saveSession({ sessionId: 's', turns })
    // What a client sends without waiting for an answer is one chunk.
    proxy.choose = () => {
      trips++
      return null
    }
  })
  afterAll(async () => {
    await store.close()
    await pool.end()
    await proxy.stop()
  })

  async function tripsOf(call: () => Promise<unknown>): Promise<number> {
    trips = 0
    await call()
    return trips
  }
  const call = (callId: string, status = 'success') => ({
    updateTurns: [{ turnId: 'open', putToolCalls: [{ callId, toolName: 'f', status }] }],
  })

  it.each([
    ['appending a turn', () => store.changeSession('s', { appendTurns: [{ turnId: 'a' }] })],
    [
      'appending a turn to an open session',
      () => store.changeSession('s', { appendTurns: [{ turnId: 'b' }], reopen: true }),
    ],
    ['appending a running turn', () => store.changeSession('s', { appendTurns: [{ turnId: 'c', status: 'running' }] })],
    ['adding a tool call', () => store.changeSession('s', call('x', 'running'))],
    ['finishing a tool call', () => store.changeSession('s', call('x'))],
    [
      'adding an item',
      () => store.changeSession('s', { updateTurns: [{ turnId: 'open', putItems: [{ format: 'f', value: 1 }] }] }),
    ],
    ['the last turns', () => store.readTurns('s', { last: 2 })],
    ['the parts of a turn', () => store.readParts('s', 'open', { list: 'toolCalls', last: 1 })],
    ['a whole session', () => store.loadSession('s')],
    ['a page of sessions', () => store.querySessions()],
  ])('are one for %s', async (_, work) => {
    expect(await tripsOf(work)).toBe(1)
  })

  it.each([
    ['metadata', () => store.changeSession('s', { setMetadata: { a: 1 } })],
    ['a key', () => store.changeSession('s', { appendTurns: [{ turnId: 'd' }] }, { idempotencyKey: 'k' })],
    ['two turns', () => store.changeSession('s', { appendTurns: [{ turnId: 'e' }, { turnId: 'f' }] })],
    ['a transition', () => store.changeSession('s', { appendAgentTransitions: [{ toAgent: 'b' }] })],
    [
      'the end of a turn',
      () => store.changeSession('s', { updateTurns: [{ turnId: 'open', set: { status: 'success' } }] }),
    ],
    ['a save', () => store.saveSession({ sessionId: 's' })],
    ['a delete', () => store.deleteSession('s')],
  ])('are two for %s', async (_, work) => {
    expect(await tripsOf(work)).toBe(2)
  })

  it.each([
    [
      'a creation by a turn',
      () => store.changeSession('n', { appendTurns: [{ turnId: 'a' }] }, { createIfMissing: {} }),
    ],
    ['a turn that is there', () => store.changeSession('n', { appendTurns: [{ turnId: 'a' }] })],
    [
      'a turn that has to be opened',
      () =>
        store.changeSession('n', { updateTurns: [{ turnId: 'a', putToolCalls: [{ callId: 'c', toolName: 'f' }] }] }),
    ],
  ])('are one more for %s, which was tried without a look', async (_, work) => {
    expect(await tripsOf(work)).toBeLessThanOrEqual(3)
  })

  it('are one for sixty-four callers that append at once, after the first', async () => {
    await store.saveSession({ sessionId: 'many' })
    const append = (index: number) => store.changeSession('many', { appendTurns: [{ turnId: `t${index}` }] })
    expect(await tripsOf(() => Promise.all(Array.from({ length: 64 }, (_, index) => append(index))))).toBeLessThan(6)
    expect((await store.loadSummary('many'))?.turnCount).toBe(64)
  })
})
