// What the stores cost, as ratios to the same work done by hand and by other libraries, in one run on one machine:
//
//   npm start -- [memory] [file] [sqlite] [redis] [postgres] [--quick] [--no-peers] [--dir FOLDER] [--out FILE]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { aboutMachine, versions } from './machine.mjs'
import { Report } from './report.mjs'
import { measureFile } from './stores/file.mjs'
import { measureMemory } from './stores/memory.mjs'
import { measurePostgres } from './stores/postgres.mjs'
import { measureRedis } from './stores/redis.mjs'
import { measureSqlite } from './stores/sqlite.mjs'

const parts = {
  memory: measureMemory,
  file: measureFile,
  sqlite: measureSqlite,
  redis: measureRedis,
  postgres: measurePostgres,
}
const names = Object.keys(parts).join('] [')
const usage = `usage: npm start -- [${names}] [--quick] [--no-peers] [--dir FOLDER] [--out FILE]`

const { chosen, values } = readArguments()
const folder = mkdtempSync(join(resolve(values.dir), 'turnstore-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

const machine = aboutMachine(folder)
const report = new Report({ quick: values.quick, withPeers: !values['no-peers'] })
const { processor, cores, load, system, node } = machine
report.say(`${processor} (${cores} cores, load ${load}), ${system}, Node ${node}`)
report.say(`The files are in ${folder}, on ${machine.fileSystem}.`)
if (machine.fileSystem === 'tmpfs') report.say('That is memory, where a sync costs nothing: choose a disk with --dir.')
if (values.quick) report.leaveOut('sessions of 100,000 turns, 100,000 sessions, a million turns', '--quick')
for (const part of chosen) {
  // What the part before wrote is on the disk before the clock runs.
  spawnSync('sync')
  await parts[part]({ folder, report })
}
report.summarise()
const out = resolve(values.out)
const result = { ...report.result, machine, versions: versions(), parts: chosen, quick: values.quick }
writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`)
report.say(`\nAll figures: ${out}`)

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        'no-peers': { type: 'boolean', default: false },
        dir: { type: 'string', default: tmpdir() },
        out: { type: 'string', default: join(import.meta.dirname, 'results.json') },
        help: { type: 'boolean', default: false },
      },
    })
    const unknown = positionals.find(part => !Object.hasOwn(parts, part))
    if (unknown !== undefined) throw new Error(`There is no part ${unknown}.`)
    if (!values.help) return { values, chosen: positionals.length === 0 ? Object.keys(parts) : positionals }
    console.log(usage)
    return process.exit(0)
  } catch (error) {
    console.error(`${error.message}\n${usage}`)
    return process.exit(2)
  }
}
