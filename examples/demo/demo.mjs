// Turnstore in a minute: `npm run demo`. In a project of your own, the two imports below are
// '@turnstore/core' and '@turnstore/sqlite'.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SessionManager } from '../../packages/core/dist/index.js'
import { SqliteSessionStore } from '../../packages/sqlite/dist/index.js'

const SESSION = 'stocktaking'
const TURN = 'count-shelves'
const CALLS_BEFORE_THE_KILL = 7

const [role, givenPath] = process.argv.slice(2)
if (role === 'agent') await agent(givenPath)
else if (role === 'resume') await resume(givenPath)
else await story()

async function story() {
  const path = join(await mkdtemp(join(tmpdir(), 'turnstore-demo-')), 'sessions.db')
  console.log(`Turnstore keeps what AI agents do. This demo's store is the SQLite database ${path}\n`)

  console.log('1. Import the conversations that ship with the demo.')
  turnstore(path, 'import', fileURLToPath(new URL('conversations.jsonl', import.meta.url)))

  console.log(
    '\n2. An agent in a process of its own records a new one, each tool call when it is done. Mid-work: kill -9.',
  )
  const acknowledged = await runAgentAndKillIt(path)
  console.log(`   The agent is dead. It had been told of ${acknowledged} tool calls that they are stored.`)

  console.log('\n3. A new process resumes.')
  await runSelf('resume', path, String(acknowledged))

  console.log('\n4. Fork it after its first turn, to try another way.')
  const store = new SqliteSessionStore(path)
  const fork = await new SessionManager(store).forkSession(SESSION, { turns: 1, sessionId: `${SESSION}-2` })
  await store.close()
  console.log(
    `   ${fork.sessionId} has ${fork.turns.length} turn and knows that it comes from ${fork.parentSessionId}.`,
  )

  console.log('\n5. What is there now:')
  turnstore(path, 'ls')

  console.log('\n6. What happened in one of them, an agent transition and a failed tool call included:')
  turnstore(path, 'show', 'late-parcel')

  console.log(`
The sessions are in ${path}. Try next:

  turnstore() { node scripts/dev.mjs run node packages/cli/dist/bin.js "$@"; }
  export TURNSTORE_URL='sqlite:${path}'
  turnstore show ${SESSION}
  turnstore show gift-idea --format markdown
  turnstore --help`)
}

/** Records until it is killed. What it prints has been acknowledged by the store. */
async function agent(path) {
  const manager = new SessionManager(new SqliteSessionStore(path))
  await manager.startSession({ sessionId: SESSION, agentId: 'clerk', metadata: { channel: 'back office' } })
  await manager.recordTurn(SESSION, { prompt: 'Good morning!', responseContent: 'Good morning! What shall I do?' })
  await manager.recordTurn(SESSION, { turnId: TURN, prompt: 'Count the books on every shelf.', status: 'running' })
  for (let shelf = 1; ; shelf++) {
    const call = {
      callId: `shelf-${shelf}`,
      toolName: 'count_shelf',
      arguments: { shelf },
      result: { books: 20 + ((shelf * 7) % 13) },
    }
    await manager.recordToolCall(SESSION, TURN, call)
    console.log(call.callId)
  }
}

async function runAgentAndKillIt(path) {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), 'agent', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  let acknowledged = 0
  for await (const _callId of createInterface({ input: child.stdout })) {
    acknowledged++
    if (acknowledged === CALLS_BEFORE_THE_KILL) child.kill('SIGKILL')
  }
  await exit
  return acknowledged
}

async function resume(path) {
  const acknowledged = Number(process.argv[4])
  const store = new SqliteSessionStore(path)
  const manager = new SessionManager(store)
  const session = await manager.startSession({ sessionId: SESSION, ifExists: 'resume' })
  const stored = new Set(session.turns.at(-1)?.toolCalls.map(call => call.callId))
  const missing = Array.from({ length: acknowledged }, (_, index) => `shelf-${index + 1}`).filter(id => !stored.has(id))
  if (missing.length > 0) throw new Error(`acknowledged and lost: ${missing.join(', ')}`)
  const cutOff =
    stored.size > acknowledged ? `, and ${stored.size - acknowledged} stored in the moment of the kill` : ''
  console.log(
    `   ${stored.size} tool calls are in the store: all ${acknowledged} acknowledged${cutOff}. Nothing is missing.`,
  )

  const messages = await manager.getMessages(SESSION)
  console.log(`   To go on, ${messages.length} messages go to the model. The last: ${JSON.stringify(messages.at(-1))}`)
  await manager.updateTurn(SESSION, TURN, {
    responseContent: `I counted ${stored.size} shelves before the power went.`,
    status: 'success',
  })
  await store.close()
}

async function runSelf(...args) {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), ...args], {
    stdio: 'inherit',
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) process.exit(code ?? 1)
}

/** The command as a user runs it. */
function turnstore(path, ...args) {
  const bin = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url))
  const { status, stdout } = spawnSync(process.execPath, [bin, ...args], {
    env: { ...process.env, TURNSTORE_URL: `sqlite:${path}` },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.stdout.write(stdout.replace(/^(?=.)/gm, '   '))
  if (status !== 0) process.exit(status ?? 1)
}
