import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // Far above what any test takes: a machine that stalls is no failure, a test that hangs is.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
