import { inject } from 'vitest'
import { holdToContract } from './suite.js'

await holdToContract('RedisSessionStore on one server', { url: inject('addresses').server })
