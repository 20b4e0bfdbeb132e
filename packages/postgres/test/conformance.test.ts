import { inject } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { runConformanceSuite } from './suite.js'

await runConformanceSuite('PostgresSessionStore', { url: inject('addresses').server }, { thorough: isThorough })
