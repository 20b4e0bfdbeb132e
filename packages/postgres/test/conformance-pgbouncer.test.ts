import { inject } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { runConformanceSuite } from './suite.js'

// Each statement may run on another connection of the server. What a record holds makes no difference there.
await runConformanceSuite(
  'PostgresSessionStore through PgBouncer in transaction mode',
  { url: inject('addresses').pgBouncer },
  isThorough ? {} : { groups: ['change', 'retries', 'keys', 'concurrency', 'processes'] },
)
