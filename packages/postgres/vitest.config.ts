import { defineConfig } from 'vitest/config'
import { thoroughness } from '../../scripts/testing/machine.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // No test alters what modules share.
    isolate: false,
    globalSetup: ['test/global-setup.ts'],
    // Far above what any test takes: a machine that stalls is no failure, a test that hangs is.
    testTimeout: 60_000 * thoroughness,
    // Many tests wait for servers, disks and child processes, so more files than cores run at once.
    maxWorkers: 4,
    // A Cluster of six servers takes a minute to start on a machine that is busy with something else.
    hookTimeout: 180_000,
  },
})
