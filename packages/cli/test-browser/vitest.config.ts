import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    // Far above what any test takes: a machine that is busy is no failure, a test that hangs is.
    testTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    hookTimeout: 60_000,
    // Each file starts a browser.
    maxWorkers: 2,
  },
})
