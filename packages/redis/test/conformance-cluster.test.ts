import { inject } from 'vitest'
import { holdToContract } from './suite.js'

await holdToContract('RedisSessionStore on a Cluster', { nodes: inject('addresses').nodes })
