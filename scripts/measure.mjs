// Measures what the stores cost as ratios to the same work done by hand, in one run on this machine:
//
//   node scripts/dev.mjs run node scripts/measure.mjs [memory|file|sqlite|redis]
//
// Work and floor run in turns, block by block, so that a machine whose speed drifts treats both alike.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureFile } from './measure/file.mjs'
import { measureMemory } from './measure/memory.mjs'
import { measureRedis } from './measure/redis.mjs'
import { measureSqlite } from './measure/sqlite.mjs'

const measures = { memory: measureMemory, file: measureFile, sqlite: measureSqlite, redis: measureRedis }
const only = process.argv[2]
const folder = mkdtempSync(join(tmpdir(), 'turnstore-measure-'))
console.log(`${''.padEnd(24)} ${''.padEnd(34)}   ratio     median       p99      mean`)
try {
  for (const [name, measure] of Object.entries(measures)) if (only === undefined || only === name) await measure(folder)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
