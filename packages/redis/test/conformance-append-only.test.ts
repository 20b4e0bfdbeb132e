import { inject } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { runConformanceSuite } from './suite.js'

// A server without persistence declares that it stores nothing durably, and so skips the group `crash`. The other groups
// see no difference.
await runConformanceSuite(
  'RedisSessionStore with appendfsync always',
  { url: inject('addresses').appendOnly },
  isThorough ? {} : { groups: ['crash'] },
)
