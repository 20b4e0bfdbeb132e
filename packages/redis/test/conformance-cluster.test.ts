import { inject } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { runConformanceSuite } from './suite.js'

// On a Cluster, indexes are written apart from the session, and scripts run on several servers. What a record holds
// makes no difference there.
await runConformanceSuite(
  'RedisSessionStore on a Cluster',
  { nodes: inject('addresses').nodes },
  isThorough
    ? {}
    : {
        groups: [
          'reading',
          'manager',
          'closing',
          'ids',
          'change',
          'retries',
          'model',
          'concurrency',
          'deleting',
          'damage',
          'processes',
          'queries',
          'paging',
          'scope',
          'size',
        ],
      },
)
