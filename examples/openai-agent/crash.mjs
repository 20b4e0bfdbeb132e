// Runs the agent, kills it with SIGKILL when two of three parallel calls have answered, and runs it again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const DATABASE = join(mkdtempSync(join(tmpdir(), 'turnstore-openai-agent-')), 'sessions.db')

console.log('First process:')
const first = start({ LADDER_MS: '60000' })
let counted = 0
for await (const line of createInterface(first.stdout)) {
  console.log(line)
  if (line.startsWith('  counted') && ++counted === 2) setTimeout(() => first.kill('SIGKILL'), 1000)
}
console.log('Killed. Second process:')
const second = start({ LADDER_MS: '100' })
second.stdout.pipe(process.stdout)
const [code] = await once(second, 'close')
process.exit(code)

function start(env) {
  return spawn(process.execPath, [join(import.meta.dirname, 'agent.mjs')], {
    env: { ...process.env, DATABASE, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
