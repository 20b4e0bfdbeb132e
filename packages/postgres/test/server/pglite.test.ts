import { PGlite } from '@electric-sql/pglite'
import { PostgresSessionStore } from '@turnstore/postgres'
import { expect, it } from 'vitest'

/* A smoke test: another driver returns other types for the same columns, and is no pool of `pg`. */

it('a store records, reads, lists, searches and deletes in PGlite', async () => {
  // Waits until it has started: the store's deadlines are for what comes after.
  const database = await PGlite.create()
  const pool = { query: (text: string, values?: unknown[]) => database.query(text, values) }
  const store = new PostgresSessionStore({ pool })
  for (const turnId of ['t0', 't1', 't2']) {
    const appendTurns = [{ turnId, prompt: `question ${turnId}`, status: turnId === 't2' ? 'running' : 'success' }]
    await store.changeSession('s', { appendTurns }, { createIfMissing: {} })
  }
  for (const callId of ['c0', 'c1']) {
    await store.changeSession('s', { updateTurns: [{ turnId: 't2', putToolCalls: [{ callId, toolName: 'look' }] }] })
  }
  await store.changeSession('s', { setMetadata: { title: 'Tea' } }, { ifRevision: 5, idempotencyKey: 'k' })
  expect(await store.loadSession('s')).toMatchObject({
    revision: 6,
    metadata: { title: 'Tea' },
    turns: [{}, {}, { toolCalls: [{ callId: 'c0' }, { callId: 'c1' }] }],
  })
  expect((await store.readTurns('s', { last: 1 }))?.turns).toMatchObject([{ turnId: 't2' }])
  expect((await store.querySessions()).sessions).toMatchObject([{ sessionId: 's', turnCount: 3 }])
  expect((await store.searchSessions({ text: 'question t1' })).hits).toMatchObject([{ turnId: 't1' }])
  expect(await store.deleteSession('s')).toBe(true)
  expect(await store.listSessions()).toEqual([])
  await store.close()
  await database.close()
})
