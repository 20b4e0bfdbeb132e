import { PostgresSessionStore } from '@turnstore/postgres'
import { Pool } from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { isThorough } from '../../../../scripts/testing/machine.ts'
import { MixedLoad } from '../../../../scripts/testing/mixed-load.ts'
import { type Fault, startProxy } from '../../../../scripts/testing/proxy.ts'

/** How many of a thousand chunks each fault hits. */
const faults: [Fault, number][] = [
  ['reset before delivery', 12],
  ['reset after delivery', 12],
  ['drop', 4],
  ['delay', 20],
  ['split', 20],
]

/** Long enough to recover from every fault, so that each write must succeed. */
const timeoutMs = 60_000

/** The same faults in the same order in every run. */
function faultOf(stretch: number): Fault | null {
  let place = (stretch * 7919) % 1000
  for (const [fault, share] of faults) {
    if (place < share) return fault
    place -= share
  }
  return null
}

const WRITES = isThorough ? 10_000 : 1200

describe('PostgresSessionStore on a bad network', () => {
  it('loses nothing and applies nothing twice in thousands of mixed writes, with a pool of its own and a shared one', async () => {
    const { server } = inject('addresses')
    const proxy = await startProxy(Number(new URL(server).port))
    const url = server.replace(/:\d+\//, `:${proxy.port}/`)
    const pool = new Pool({ connectionString: url, max: 8 })
    const schema = 'network'
    const direct = new PostgresSessionStore({ url: server, schema })
    const stores = [
      new PostgresSessionStore({ url, schema, timeoutMs }),
      new PostgresSessionStore({ pool, schema, timeoutMs }),
    ]
    const load = new MixedLoad(stores, 's', 24)
    await load.prepare()
    let stretches = 0
    proxy.choose = () => faultOf(stretches++)
    await load.run(48, WRITES)
    proxy.choose = () => null
    for (const [fault] of faults) {
      expect(proxy.happened.get(fault) ?? 0, `how often there was a ${fault}`).toBeGreaterThan(0)
    }
    expect(load.settled).toBeGreaterThanOrEqual(WRITES)
    expect(await load.check(direct)).toEqual({ lost: [], twice: [] })
    expect(load.outcomes).toMatchObject({ 'not-stored': 0, unknown: 0 })
    for (const store of [...stores, direct]) await store.close()
    expect((await pool.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    await pool.end()
    await proxy.stop()
    // Its callers wait most of the time.
  }, 600_000)
})
