// A process that changes a session is killed again and again, beside an oracle of what it acknowledged.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { SessionStore } from '../../packages/core/dist/index.js'
import type { Child } from './child.ts'
import { momentsOf } from './machine.ts'

/**
 * Makes changes until it is killed, and reports each before it is made and after it was acknowledged. Which change
 * comes next follows from the number, so that the parent knows what each has done.
 */
const work = (first: number): string => `let next = ${first}
  const report = async (name, write) => { say('+ ' + name); await write; say('= ' + name) }
  if (await store.loadSession('s') === null) {
    // Killed between the two: the session is gone, and its delete was reported.
    await report('save', store.saveSession({ sessionId: 's', createdAt: at, metadata: { life: next } }))
  }
  say('ready')
  for (;; next++) {
    const id = 't' + next
    switch (next % 20) {
      case 6: await report('end', store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })); break
      case 7: await report('resume', store.changeSession('s', { unsetMetadata: ['ended'], updatedAt: at })); break
      case 12: { const { turnCount } = await store.loadSummary('s')
        await report('rewind ' + Math.max(0, turnCount - 2), store.changeSession('s', { keepTurns: Math.max(0, turnCount - 2), updatedAt: at })); break }
      case 17: { const session = await store.loadSession('s'); await report('resave', store.saveSession(session)); break }
      case 19: if (next % 3 === 0) { await report('delete', store.deleteSession('s'))
        await report('save', store.saveSession({ sessionId: 's', createdAt: at, metadata: { life: next } })); break }
      default: {
        await report('append ' + id, store.changeSession('s', { appendTurns: [{ turnId: id, status: 'running', prompt: 'p'.repeat(next * 97 % 3000) }], updatedAt: at }))
        await report('call ' + id, store.changeSession('s', { updateTurns: [{ turnId: id, set: { status: 'success' }, putToolCalls: [{ callId: id, toolName: 'f' }] }], setMetadata: { last: id }, updatedAt: at }))
      }
    }
  }`

/** What a session holds: the turns in order, '!' behind those that have their tool call. */
interface State {
  readonly exists: boolean
  readonly turns: readonly string[]
}

function after(state: State, name: string): State {
  const [verb = '', what = ''] = name.split(' ')
  const { exists, turns } = state
  switch (verb) {
    case 'save':
      return { exists: true, turns: [] }
    case 'delete':
      return { exists: false, turns: [] }
    case 'append':
      return { exists, turns: [...turns, what] }
    case 'call':
      return { exists, turns: turns.map(turn => (turn === what ? `${what}!` : turn)) }
    case 'rewind':
      return { exists, turns: turns.slice(0, Number(what)) }
    default:
      return state
  }
}

async function stateIn(store: SessionStore): Promise<State> {
  const session = await store.loadSession('s')
  await store.close()
  if (session === null) return { exists: false, turns: [] }
  for (const turn of session.turns) expect(turn.prompt.length).toBe((Number(turn.turnId.slice(1)) * 97) % 3000)
  const turns = session.turns.map(turn =>
    turn.toolCalls.length > 0 && turn.status === 'success' ? `${turn.turnId}!` : turn.turnId,
  )
  return { exists: true, turns }
}

/** The acknowledgements that most rounds wait for, at least. */
const FEWEST = 6

export interface KillLoop {
  readonly rounds: number
  /** Another process with a `store` that runs the code. */
  readonly start: (code: string) => Child
  /** The store as one finds it who comes after the kill. */
  readonly open: () => SessionStore
  /** Resolves when nothing of a killed process goes on, as a statement does in a server. */
  readonly settled?: () => Promise<void>
}

/**
 * Kills a writer at random moments, and expects each time that the session `s` is as the last acknowledged
 * change left it, or the one that was under way. Gives whether there is a session in the end.
 */
export async function killAgainAndAgain({ rounds, start, open, settled }: KillLoop): Promise<boolean> {
  const seed = Date.now() % 100_000
  const moments = momentsOf(seed)
  let state: State = { exists: false, turns: [] }
  let next = 0
  let acknowledged = 0
  for (let round = 0; round < rounds; round++) {
    const child = start(work(next))
    const lines: string[] = []
    const reading = (async () => {
      for (let line = await child.line(); line !== null; line = await child.line()) lines.push(line)
    })()
    while (!lines.includes('ready')) {
      if (child.process.exitCode !== null) throw new Error(child.errors)
      await sleep(2)
    }
    // After so many acknowledgements and a moment more, not after a time: a slow disk must not make it a test of
    // nothing. Every fifth time at once, whatever has happened.
    const enough = round % 5 === 4 ? 0 : FEWEST + Math.floor(moments.next().value * 18)
    while (lines.filter(line => line.startsWith('=')).length < enough) {
      if (child.process.exitCode !== null) throw new Error(child.errors)
      await sleep(1)
    }
    await sleep(moments.next().value * 5)
    await child.kill()
    await reading
    await settled?.()
    expect(child.errors).toBe('')
    let maybe: State = state
    for (const line of lines.filter(each => each !== 'ready')) {
      const name = line.slice(2)
      if (line.startsWith('+')) maybe = after(state, name)
      else state = after(state, name)
      if (line.startsWith('=')) acknowledged++
      const number = /t(\d+)$/.exec(name)?.[1]
      if (number !== undefined) next = Number(number)
    }
    next += 1
    const now = await stateIn(open())
    const found = { seed, round, now }
    expect([
      { seed, round, now: state },
      { seed, round, now: maybe },
    ]).toContainEqual(found)
    state = now
  }
  expect(acknowledged).toBeGreaterThanOrEqual(FEWEST * Math.ceil(rounds * 0.8))
  return state.exists
}
