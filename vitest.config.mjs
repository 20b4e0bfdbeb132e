// The tests of all packages in one run, which keeps both cores of a small machine busy until the end. Each package has
// a configuration of its own; all have the same number of workers.
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

/** The files that take longest begin first. */
const longest = [
  'conformance/test/mutants.test.ts',
  'redis/test/server/server-errors.test.ts',
  'file/test/conformance.test.ts',
  'postgres/test/sessions/network.test.ts',
  'postgres/test/conformance.test.ts',
  'postgres/test/sessions/disturbance.test.ts',
  'redis/test/conformance-cluster.test.ts',
  'redis/test/conformance.test.ts',
  'sqlite/test/conformance.test.ts',
  'conformance/test/right-stores.test.ts',
  'redis/test/sessions/network.test.ts',
  'sqlite/test/database/crash.test.ts',
  'file/test/session/crash.test.ts',
  'cli/test/commands/interrupted.test.ts',
]

class LongestFirst extends BaseSequencer {
  /** The others stay in the order of their packages: a worker takes the next file of its package without a restart. */
  async sort(files) {
    const place = ({ moduleId }) => {
      const index = longest.findIndex(path => moduleId.endsWith(`/packages/${path}`))
      return index === -1 ? longest.length : index
    }
    // oxlint-disable-next-line unicorn/no-array-sort -- vitest's, of no array
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => place(one) - place(other))
  }
}

export default defineConfig({
  test: {
    projects: ['packages/*'],
    sequence: { sequencer: LongestFirst },
  },
})
