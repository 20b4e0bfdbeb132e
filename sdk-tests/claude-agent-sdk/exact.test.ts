import { describe, it } from 'vitest'
import { expectRoundTrips, expectSameTurns } from '../../packages/claude-agent-sdk/test/round-trips.ts'
import { thoroughness } from '../../scripts/testing/machine.ts'
import { stores } from '../stores.ts'

/* The other stores are tested without the SDK. */
describe.each(stores.filter(([name]) => name === 'Redis'))('Entries in the store %s', (_name, open) => {
  it('come back deep-equal and in order, in whatever batches they and their replays come', async () => {
    await expectRoundTrips(open(), 200 * thoroughness)
  })

  it('make the same turns in whatever batches they come, as if they were read at once', async () => {
    await expectSameTurns(open, 20 * thoroughness)
  })
})
