import { inject } from 'vitest'
import { runConformanceSuite } from './suite.js'

await runConformanceSuite('RedisSessionStore on one server', { url: inject('addresses').server })
