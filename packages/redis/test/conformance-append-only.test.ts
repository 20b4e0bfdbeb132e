import { inject } from 'vitest'
import { runConformanceSuite } from './suite.js'

await runConformanceSuite('RedisSessionStore with appendfsync always', { url: inject('addresses').appendOnly })
