import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Beside the child processes of the tests themselves, more workers only wait for the disk.
    maxWorkers: 2,
  },
})
