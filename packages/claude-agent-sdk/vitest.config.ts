import { defineConfig } from 'vitest/config'
import { thoroughness } from '../../scripts/testing/machine.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Far above what any test takes: a disk that stalls is no failure, a test that hangs is.
    testTimeout: 60_000 * thoroughness,
    // Many tests wait for servers, disks and child processes, so more files than cores run at once.
    maxWorkers: 4,
  },
})
