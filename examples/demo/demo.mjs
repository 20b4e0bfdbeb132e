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
const SHELVES = ['green', 'black', 'white']
/** Two of the first turn, the question, the three calls in one, and two results. */
const MESSAGES_BEFORE_THE_KILL = 6

const [role, givenPath] = process.argv.slice(2)
if (role === 'agent') await agent(givenPath)
else if (role === 'resume') await resume(givenPath)
else await story()

async function story() {
  const path = join(await mkdtemp(join(tmpdir(), 'turnstore-demo-')), 'sessions.db')
  console.log(`Turnstore keeps what AI agents do. This demo's store is the SQLite database ${path}\n`)

  console.log('1. Import the conversations that ship with the demo.')
  turnstore(path, 'import', fileURLToPath(new URL('conversations.jsonl', import.meta.url)))

  console.log('\n2. An agent in a process of its own records each message of a new one as it happens.')
  console.log('   Of three tool calls at once, two have returned. Then: kill -9.')
  const acknowledged = await runAgentAndKillIt(path)
  console.log(`   The agent is dead. It had been told that ${acknowledged} messages are stored.`)

  console.log('\n3. A new process finds the turn that was cut off, and goes on with the third call.')
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
  const record = async (...messages) => {
    const { count } = await manager.recordMessages(SESSION, messages)
    console.log(count)
  }
  await manager.startSession({ sessionId: SESSION, agentId: 'clerk', metadata: { channel: 'back office' } })
  await record({ role: 'user', content: 'Good morning!' }, { role: 'assistant', content: 'Good morning! And now?' })
  await manager.recordMessages(SESSION, [{ role: 'user', content: 'Count the boxes of tea.' }], { turnId: TURN })
  const calls = SHELVES.map(of => ({
    id: `call_${of}`,
    type: 'function',
    function: { name: 'count_boxes', arguments: JSON.stringify({ of }) },
  }))
  await record({ role: 'assistant', content: null, tool_calls: calls })
  await Promise.all(
    SHELVES.map(async of => {
      // The third shelf is high up.
      if (of === SHELVES[2]) await new Promise(() => setInterval(() => {}, 1000))
      await record(result(of))
    }),
  )
}

function result(of) {
  return { role: 'tool', tool_call_id: `call_${of}`, content: JSON.stringify({ boxes: 3 * of.length }) }
}

async function runAgentAndKillIt(path) {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), 'agent', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  let acknowledged = 0
  for await (const count of createInterface({ input: child.stdout })) {
    acknowledged = Number(count)
    if (acknowledged === MESSAGES_BEFORE_THE_KILL) child.kill('SIGKILL')
  }
  await exit
  return acknowledged
}

async function resume(path) {
  const acknowledged = Number(process.argv[4])
  const manager = new SessionManager(new SqliteSessionStore(path))
  for await (const { sessionId, revision, lastTurn } of manager.sessions({ lastTurnStatus: 'running' })) {
    if (sessionId !== SESSION) continue
    console.log(`   Found: "${lastTurn.prompt}" in ${sessionId} is still running.`)
    // If two processes look for it, one of them succeeds.
    await manager.interruptTurn(sessionId, lastTurn.turnId, { ifRevision: revision })
  }
  const stored = await manager.getMessages(SESSION, { exact: true })
  if (stored.length < acknowledged) throw new Error(`acknowledged and lost: ${acknowledged - stored.length} messages`)
  console.log(`   ${stored.length} messages are in the store: all ${acknowledged} acknowledged. Nothing is missing.`)

  await manager.updateTurn(SESSION, TURN, { status: 'running', endedAt: null })
  const [turn] = await manager.getTurns(SESSION, { turnId: TURN })
  for (const { callId, status } of turn.toolCalls) {
    console.log(
      `   ${callId}: ${status === 'running' ? 'has no result, so it is made now' : 'is done, and not made again'}`,
    )
    if (status === 'running') await manager.recordMessages(SESSION, [result(callId.slice('call_'.length))])
  }
  console.log('   To go on, these messages go to the model:')
  for (const message of await manager.getMessages(SESSION)) console.log(`     ${JSON.stringify(message)}`)
  await manager.recordMessages(SESSION, [{ role: 'assistant', content: 'There are 45 boxes.' }])
  await manager.updateTurn(SESSION, TURN, { status: 'success' })
  await manager.close()
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
