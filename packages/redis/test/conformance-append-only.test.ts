import { inject } from 'vitest'
import { holdToContract } from './suite.js'

await holdToContract('RedisSessionStore with appendfsync always', { url: inject('addresses').appendOnly })
