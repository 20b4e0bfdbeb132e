import type Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

/** The statements of all calls on a database whose owner ran ANALYZE when it had so many turns. */
async function statementsAfterAnalyze(
  turns: number,
): Promise<{ database: Database.Database; statements: Set<string> }> {
  const ids = Array.from({ length: turns }, (_, index) => `t${index}`)
  await folder.once(store => store.saveSession({ sessionId: 's', turns: ids.map(turnId => ({ turnId, prompt: '' })) }))
  folder.handle().exec('ANALYZE')
  const statements = new Set<string>()
  const database = folder.shared(folder.database, { verbose: statement => statements.add(String(statement)) })
  const store = folder.open({}, database)
  for (const sessionId of ['a', 'b']) {
    await store.saveSession({
      sessionId,
      parentSessionId: 's',
      metadata: { n: 1 },
      turns: [{ turnId: 'x', prompt: '' }],
    })
    await store.changeSession(sessionId, append('y', 'x2'))
  }
  await store.changeSession('a', {
    updateTurns: [{ turnId: 'y', set: { prompt: 'z' } }],
    setMetadata: { n: 2 },
    updatedAt: at,
  })
  const call = { callId: 'c', toolName: 'f', result: 'x'.repeat(9000) }
  const updates = [
    { putToolCalls: [call], putItems: [{ itemId: 'i', format: 'f', value: 1 }] },
    {
      putToolCalls: [
        { ...call, result: 1 },
        { ...call, callId: 'd' },
      ],
      set: { prompt: 'a' },
    },
    { removeToolCalls: ['c', 'd'], putToolCalls: [{ ...call, callId: 'd' }] },
    { removeToolCalls: ['c'], putToolCalls: [call, { ...call, callId: 'e' }] },
  ]
  for (const [index, update] of updates.entries()) {
    const change = { updateTurns: [{ turnId: 'y', ...update }], updatedAt: at }
    await store.changeSession('a', change, { idempotencyKey: `key ${index}` })
  }
  await store.readParts('a', 'y', { list: 'toolCalls', from: 0, limit: 1 })
  await store.readParts('a', 'y', { list: 'toolCalls', last: 1 })
  await store.readParts('a', 'y', { list: 'items' })
  await store.readTurns('a', {}, { parts: 'none' })
  for (const orderBy of ['updatedAt', 'createdAt'] as const) {
    for (const filter of [
      {},
      { workspaceId: null },
      { metadata: { n: 1 } },
      { ended: true },
      { parentSessionId: 's' },
    ]) {
      const { cursor } = await store.querySessions({ orderBy, ...filter, limit: 1 })
      if (cursor !== null) await store.querySessions({ orderBy, ...filter, limit: 1, cursor })
    }
  }
  await store.loadSession('a')
  await store.loadSummary('a')
  await store.readTurns('a', { turnId: 'y' })
  return { database, statements: new Set(statements) }
}

it.each([0, 20, 1000])('statistics from a session of %i turns make no call scan a table', async turns => {
  const { database, statements } = await statementsAfterAnalyze(turns)
  const scans = [...statements]
    .filter(statement => /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)/.test(statement))
    .flatMap(statement =>
      database
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${statement}`)
        .all()
        // A range of an index has USING after the name. `found` is the sorted rows.
        .filter(({ detail }) => /^SCAN (?!(temp\.)?sqlite_schema|CONSTANT)\S+(?! USING)( |$)/.test(detail))
        .filter(({ detail }) => detail !== 'SCAN s' || !statement.includes('FROM found AS s'))
        .map(({ detail }) => `${detail}: ${statement}`),
    )
  expect(scans).toStrictEqual([])
})
