import { Pool } from 'pg'
import { afterAll, inject } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { runConformanceSuite } from './suite.js'

// A pool of the user's own, of which the store sees `query` alone, as those of serverless drivers have it.
const { server } = inject('addresses')
const pool = new Pool({ connectionString: server, max: 5 })
afterAll(() => pool.end())

await runConformanceSuite(
  'PostgresSessionStore with a pool of the user',
  { url: server, pool: { query: (text, values) => pool.query(text, values) } },
  isThorough ? {} : { groups: ['reading', 'closing', 'creation', 'damage'] },
)
