import { PostgresSessionStore } from '@turnstore/postgres'
import { Pool } from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { matching } from '../../../../scripts/testing/matchers.ts'

const { server: url } = inject('addresses')
const pool = new Pool({ connectionString: url, max: 1 })
afterAll(() => pool.end())

it('a deletion is remembered for an hour, without a word of the session, and each removes some of the older', async () => {
  await using store = new PostgresSessionStore({ url, schema: 'deletions' })
  await store.saveSession({ sessionId: 'first' })
  expect(await store.deleteSession('first')).toBe(true)
  const table = 'deletions.turnstore_deletions'
  const { rows } = await pool.query<{ token: string }>(`SELECT token FROM ${table}`)
  expect(rows).toEqual([{ token: matching(/^[0-9a-f]{12}$/) }])
  await pool.query(`UPDATE ${table} SET at = now() - interval '59 minutes'`)
  await pool.query(
    `INSERT INTO ${table} SELECT 'old' || n, now() - interval '61 minutes' FROM generate_series(1, 150) AS n`,
  )
  const left: number[] = []
  for (const sessionId of ['a', 'b', 'c']) {
    await store.saveSession({ sessionId })
    await store.deleteSession(sessionId)
    const counted = await pool.query<{ old: string }>(`SELECT count(*) AS old FROM ${table} WHERE token LIKE 'old%'`)
    left.push(Number(counted.rows[0]?.old))
  }
  expect(left).toEqual([50, 0, 0])
  const kept = await pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`)
  expect(kept.rows).toEqual([{ count: '4' }])
})
