import { setTimeout as sleep } from 'node:timers/promises'
import { PostgresSessionStore } from '@turnstore/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isThorough, thoroughness } from '../../../../scripts/testing/machine.ts'
import { MixedLoad } from '../../../../scripts/testing/mixed-load.ts'
import { type Server, startServer, until } from '../servers.js'

const WRITES = isThorough ? 10_000 : 800

/** Runs mixed writes during an event, and checks the promises. */
async function assertDuringLoad(server: Server, schema: string, happen: () => Promise<void>): Promise<MixedLoad> {
  const open = (): PostgresSessionStore => new PostgresSessionStore({ url: server.url, schema, timeoutMs: 60_000 })
  const stores = [open(), open()]
  const load = new MixedLoad(stores, schema, 24)
  await load.prepare()
  let isOver = false
  const running = load.run(32, Number.MAX_SAFE_INTEGER, () => isOver && load.settled >= WRITES)
  await until(() => load.settled > 200)
  await happen()
  const before = load.outcomes.acknowledged
  await until(() => load.outcomes.acknowledged > before + 200)
  isOver = true
  await running
  expect(await load.check(stores[0] ?? open())).toEqual({ lost: [], twice: [] })
  expect([load.outcomes, ...load.errors]).toMatchObject([{ 'not-stored': 0, unknown: 0 }])
  for (const store of stores) await store.close()
  return load
}

describe('writes settle, and continue without help', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  it('when an administrator ends connections at random', async () => {
    await assertDuringLoad(server, 'terminated', async () => {
      for (let times = 0; times < 40 * thoroughness; times++) {
        await server.admin.query(`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'turnstore' ORDER BY random() LIMIT 3`)
        await sleep(5)
      }
    })
  })

  it('when the server crashes and starts again', async () => {
    for (let times = 0; times < thoroughness; times++) {
      await assertDuringLoad(server, `restarted ${times}`, () => server.restart())
    }
  })
})
