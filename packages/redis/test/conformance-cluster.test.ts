import { inject } from 'vitest'
import { runConformanceSuite } from './suite.js'

await runConformanceSuite('RedisSessionStore on a Cluster', { nodes: inject('addresses').nodes })
