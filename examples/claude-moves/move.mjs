// An agent moves to another machine: it is killed while its tools run, and resumed where its configuration folder is
// empty. All that the two machines share is the store.
//
//   npm install && npm start                            with a model that answers what it is told to
//   ANTHROPIC_API_KEY=sk-ant-… npm start                with a real one
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openStore } from './store.mjs'
import { startFakeModel } from './fake-model.mjs'

const folder = mkdtempSync(join(tmpdir(), 'claude-moves-'))
const model = process.env.ANTHROPIC_API_KEY ? null : await startFakeModel()
const database = join(folder, 'sessions.db')

console.log('The first machine:')
const first = startAgent('first', 'Where are the parcels 1, 2 and 3? Look for all at once.')
let sessionId = ''
let results = 0
for await (const line of first.lines) {
  console.log(`  ${line}`)
  if (line.startsWith('session ')) sessionId = line.slice(8)
  if (line === 'stored the result of a call') results++
  // Parcel 3 takes longer. The machine dies before it is found.
  if (results === 2) {
    first.process.kill('SIGKILL')
    break
  }
}
await first.ended
console.log('  killed')

console.log('The second machine:')
const second = startAgent('second', 'Go on.', sessionId)
for await (const line of second.lines) console.log(`  ${line}`)
await second.ended

console.log('What people see:')
const store = openStore(database)
for await (const { sessionId: id, metadata } of store.sessions()) {
  console.log(`  ${id}: ${metadata.title}`)
  for (const { prompt, toolCalls, responseContent } of (await store.loadSession(id)).turns) {
    console.log(`  > ${prompt}`)
    for (const { toolName, status } of toolCalls) console.log(`    * ${toolName}: ${status}`)
    console.log(`  < ${responseContent}`)
  }
}
await store.close()
await model?.stop()
rmSync(folder, { recursive: true, force: true })

/** Starts an agent on a machine that knows nothing but the database. */
function startAgent(machine, prompt, resume = '') {
  const home = mkdtempSync(join(folder, `${machine}-`))
  const child = spawn(process.execPath, [join(import.meta.dirname, 'agent.mjs'), database, prompt, resume], {
    // The session belongs to the folder in which the agent works: it is the same on both machines.
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      CLAUDE_CONFIG_DIR: join(home, 'config'),
      ANTHROPIC_API_KEY: process.env.ANTHROPIC_API_KEY ?? 'none',
      ...(model === null ? {} : { ANTHROPIC_BASE_URL: model.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' }),
    },
  })
  return { process: child, lines: createInterface(child.stdout), ended: once(child, 'close') }
}
