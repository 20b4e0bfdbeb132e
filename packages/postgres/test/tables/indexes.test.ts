import { PostgresSessionStore } from '@turnstore/postgres'
import { Pool } from 'pg'
import { describe, expect, inject, it } from 'vitest'

const schema = 'indexes'

/**
 * Postgres has no statistics of new tables, and keeps the plans that it makes then. So the rows that it reads are
 * counted: a plan on the wrong index reads as many as a session or turn has.
 */
describe('the indexes', () => {
  it('lead an append and a step to the same number of rows in a long session as in a new one', async () => {
    const pool = new Pool({ connectionString: inject('addresses').server, max: 1 })
    const store = new PostgresSessionStore({ pool, schema })
    const open = (toolCalls: number) => ({
      turnId: 'open',
      status: 'running',
      toolCalls: Array.from({ length: toolCalls }, (_, index) => ({ callId: `c${index}`, toolName: 'f' })),
    })
    await store.saveSession({ sessionId: 'new', turns: [open(0)] })
    const turns = Array.from({ length: 1000 }, (_, index) => ({ turnId: `t${index}` }))
    await store.saveSession({ sessionId: 'long', turns: [...turns, open(1000)] })
    let next = 0
    const put = (sessionId: string, status: string) =>
      store.changeSession(sessionId, {
        updateTurns: [{ turnId: 'open', putToolCalls: [{ callId: `x${next}`, toolName: 'f', status }] }],
      })
    const work = async (sessionId: string): Promise<number> => {
      const before = await rowsRead(pool)
      for (let times = 0; times < 20; times++) {
        next++
        await store.changeSession(sessionId, { appendTurns: [{ turnId: `a${next}` }] })
        await put(sessionId, 'running')
        await put(sessionId, 'success')
        await store.changeSession(sessionId, { appendTurns: [{ turnId: `b${next}` }] }, { idempotencyKey: `${next}` })
        await store.readTurns(sessionId, { last: 1 })
        await store.readTurns(sessionId, { turnId: `a${next}` })
        await store.readParts(sessionId, 'open', { list: 'toolCalls', last: 5 })
      }
      return (await rowsRead(pool)) - before
    }
    await work('new')
    const [inNew, inLong] = [await work('new'), await work('long')]
    expect(inNew).toBeGreaterThan(100)
    // Dead entries of indexes count until they are cleaned, which differs. A wrong plan reads a thousand rows each time.
    expect(inLong).toBeLessThan(3 * inNew)
    await store.close()
    await pool.end()
  })
})

/** By all statements of this connection so far. */
async function rowsRead(pool: Pool): Promise<number> {
  await pool.query('SELECT pg_stat_force_next_flush()')
  await pool.query('SELECT 1')
  const { rows } = await pool.query<{ read: string }>(
    `SELECT sum(idx_tup_read) + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = $1) AS read
     FROM pg_stat_user_indexes WHERE schemaname = $1`,
    [schema],
  )
  return Number(rows[0]?.read)
}
