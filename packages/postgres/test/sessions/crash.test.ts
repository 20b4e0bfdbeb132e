import { fileURLToPath } from 'node:url'
import { PostgresSessionStore } from '@turnstore/postgres'
import { describe, expect, inject, it } from 'vitest'
import { Child } from '../../../../scripts/testing/child.ts'
import { killAgainAndAgain } from '../../../../scripts/testing/kill-loop.ts'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { until } from '../servers.js'
import { Schemas } from '../schemas.js'

describe('a process that is killed', () => {
  it('leaves what it acknowledged, and the change that was under way or not', async () => {
    const { server } = inject('addresses')
    const { admin } = new Schemas(server)
    const options = { schema: 'killed', postgres: { application_name: 'killed' } }
    const exists = await killAgainAndAgain({
      rounds: 5 * thoroughness,
      start: code =>
        Child.run(
          `import { PostgresSessionStore } from '@turnstore/postgres'
           const store = new PostgresSessionStore({ url: ${JSON.stringify(server)}, ...${JSON.stringify(options)} })
           ${code}`,
          { cwd: fileURLToPath(new URL('../..', import.meta.url)) },
        ),
      open: () => new PostgresSessionStore({ url: server, schema: options.schema }),
      // The server goes on with a statement of a process that is gone.
      settled: () =>
        until(async () => {
          const found = await admin.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'killed'`)
          return found.rows.length === 0
        }),
    })
    expect(typeof exists).toBe('boolean')
    await admin.end()
  })
})
