import { describe, it } from 'vitest'
import { thoroughness } from '../../../scripts/testing/machine.ts'
import { expectRoundTrips, expectSameTurns } from './round-trips.ts'
import { stores } from './stores.ts'

describe.each(stores)('Entries in the store %s', (name, open) => {
  const numRuns = (name === 'file' || name === 'SQLite' ? 60 : 500) * thoroughness

  it('come back deep-equal and in order, in whatever batches they and their replays come', async () => {
    await expectRoundTrips(open(), numRuns)
  })

  it('make the same turns in whatever batches they come, as if they were read at once', async () => {
    await expectSameTurns(open, Math.ceil(numRuns / 10))
  })
})
