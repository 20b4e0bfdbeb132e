import { inject } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { runConformanceSuite } from './suite.js'

await runConformanceSuite(
  'RedisSessionStore on one server',
  { url: inject('addresses').server },
  { thorough: isThorough },
)
