import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // No test alters what modules share.
    isolate: false,
    // Far above what any test takes: a disk that stalls is no failure, a test that hangs is.
    testTimeout: 60_000,
    // Many tests wait for servers, disks and child processes, so more files than cores run at once.
    maxWorkers: 4,
  },
})
