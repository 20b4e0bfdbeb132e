import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionStore } from '@turnstore/core'
import { type Bench, breaks } from '../../cases/cases.js'
import type { Child } from '../../child/child.js'
import type { Note } from '../../child/protocol.js'
import { append, type Names, names, STEPS, turns } from '../../histories/crash-work.js'
import { fail, nameOf, same } from '../../checks/expect.js'
import { expectSingleOrder } from '../../histories/expect-order.js'
import { untyped } from '../../samples/methods.js'
import { type State, stateOf } from '../../histories/reference-model.js'
import { type Caller, callerOf, type Operation } from '../../histories/operations.js'
import type { Random } from '../../samples/random.js'
import { turnOfTheEventLoop } from '../../checks/races.js'
import { Recording } from '../../histories/recording.js'
import { indexes, sessionOf } from '../../samples/samples.js'
import type { Call } from '../../histories/single-order.js'

/** So many appends the handle that goes on makes without a pause. */
const FAST_APPENDS = 50

/**
 * The data of one store with its writers and readers: a handle that stays open, a process that was open during a kill,
 * and a handle that is opened afterwards.
 */
export class Scene {
  readonly name: Names = names('t')
  readonly #bench: Bench
  readonly #random: Random
  readonly #recording = new Recording()
  readonly #states = new Map<string, State>()
  /** Interrupted calls that have not been observed yet. On a network they may still arrive. */
  #cutOff: readonly Call[] = []
  /** Started in advance, since starting a process takes longer than killing it. */
  readonly #started: Promise<Child>[] = []
  #turn = 0

  constructor(bench: Bench, random: Random) {
    this.#bench = bench
    this.#random = random
  }

  revisionOf(id: string): number {
    return this.#states.get(id)?.session.revision ?? 0
  }

  /** Deletes all sessions. Later work uses others. */
  forget(): void {
    this.#states.clear()
    this.#cutOff = []
  }

  async create(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#bench.store.saveSession(sessionOf(id))
      this.#states.set(id, stateOf(sessionOf(id)))
    }
  }

  /** Kills a process while it works. Returns the calls that it reported, in the order in which they started. */
  async kill(round: number, callers: readonly (readonly Operation[])[]): Promise<Operation[]> {
    const child = await this.#nextChild()
    // Waits for a number of answers, not for a time: on a slow disk nothing might have happened yet.
    const enough = round % 5 === 4 ? 0 : this.#random.below(24)
    return this.#killAfter(child, `process ${round}`, callers, enough)
  }

  /** Kills several processes that work on the same sessions, while the first handle appends to them. */
  async killAll(
    round: number,
    count: number,
    work: () => (readonly Operation[])[],
    ids: readonly string[],
  ): Promise<void> {
    const children = await Promise.all(indexes(count).map(() => this.#nextChild()))
    const survivors = { done: false }
    const going = ids.map(async id => {
      let appended = 0
      for (let more = 2; more > 0; more -= survivors.done ? 1 : 0) {
        await this.#succeed('the handle that goes on', callerOf(this.#bench.store), this.#append(id))
        // Yields: a synchronous driver would otherwise block messages of the processes and timers. Then slowly: if the
        // processes are slow, thousands of turns would add up, and checking the history costs their square.
        if (++appended < FAST_APPENDS) await turnOfTheEventLoop()
        else await sleep(10)
      }
    })
    const kills = children.map((child, index) =>
      this.#killAfter(child, `process ${round}.${index}`, work(), this.#random.below(16)),
    )
    await Promise.all(kills).finally(() => {
      survivors.done = true
    })
    await Promise.all(going)
  }

  /** Another process repeats the calls. Each must succeed: it is applied now, or was applied before. */
  async repeat(operations: readonly Operation[]): Promise<void> {
    const child = await this.#idleChild()
    for (const operation of operations) await this.#succeed('the process that repeats', child.call, operation)
  }

  /**
   * Asserts that all readers see each session as the acknowledged calls, and possibly an interrupted one, left it; that all
   * can continue with it; and that lists show the same sessions.
   */
  async expectWhole(ids: readonly string[]): Promise<void> {
    const opened = await this.#bench.reopen()
    const idle = await this.#idleChild()
    const observers: [string, Caller & Child['call']][] = [
      ['a handle that was open', everyMethod(this.#bench.store)],
      ['a process that was open', idle.call],
      ['a handle opened afterwards', everyMethod(opened)],
    ]
    for (const [who, call] of observers) {
      for (const id of ids) {
        for (const operation of readsOf(id)) await this.#recording.record(who, operation, call)
      }
    }
    // Before missing sessions are created again.
    for (const [who, call] of observers) await expectNoGhosts(who, call)
    for (const id of ids) {
      const [who, call] = observers[this.#turn++ % observers.length] ?? fail('there are no observers')
      const seen = await call('loadSession', id)
      if (seen === null) await this.#succeed(who, call, { method: 'saveSession', id, record: sessionOf(id) })
      else await this.#succeed(who, call, this.#append(id))
    }
    for (const [who, call] of observers) {
      for (const id of ids) await this.#recording.record(who, { method: 'loadSession', id }, call)
    }
    this.#settle(ids)
    const there = ids.toSorted()
    for (const [who, call] of observers) {
      same(idsIn(await call('listSessions')), there, `listSessions of ${who}`)
      same(idsIn(await call('querySessions', { limit: 1000 })), there, `querySessions of ${who}`)
    }
    await opened.close()
  }

  /** A process to be killed. */
  #nextChild(): Promise<Child> {
    const child = this.#idleChild()
    void this.#started.shift()
    void this.#idleChild()
    return child
  }

  /** The process that is killed next. It is open when another is killed. */
  #idleChild(): Promise<Child> {
    while (this.#started.length < 2) {
      const child = this.#bench.child()
      // Unused processes end with the case.
      child.catch(() => {})
      this.#started.push(child)
    }
    return this.#started[0] ?? fail('no process was started')
  }

  #settle(ids: readonly string[]): void {
    const calls = [...this.#cutOff, ...this.#recording.calls.splice(0)]
    const cutOff: Call[] = []
    for (const id of ids) {
      const mine = calls.filter(({ operation }) => operation.id === id)
      const { state, left } = expectSingleOrder(mine, this.#states.get(id) ?? null)
      this.#states.set(id, state)
      cutOff.push(...left.filter(call => !this.#cutOff.includes(call)))
    }
    this.#cutOff = cutOff
  }

  async #killAfter(
    child: Child,
    who: string,
    callers: readonly (readonly Operation[])[],
    enough: number,
  ): Promise<Operation[]> {
    const began = this.#recording.now()
    const told: Operation[] = []
    const open = new Map<number, Operation>()
    let answers = 0
    let reached = (): void => {}
    const isEnough = new Promise<void>(resolve => {
      reached = resolve
    })
    const hear = ({ caller, place, outcome }: Note): void => {
      const operation = callers[caller]?.[place] ?? fail(`the process reported call ${place} of caller ${caller}`)
      if (outcome === undefined) {
        told.push(operation)
        open.set(caller, operation)
        return
      }
      open.delete(caller)
      // The start times in another process are unknown, but each caller's calls are ordered.
      this.#recording.add(`${who}, caller ${caller}`, operation, began, outcome)
      if (++answers >= enough) reached()
    }
    if (enough === 0) reached()
    const work = child.work(callers, hear)
    await Promise.race([isEnough, work])
    await sleep(this.#random.below(10))
    await child.kill()
    await work.catch(error => fail(`the process to be killed exited on its own: ${nameOf(error)}`))
    for (const [caller, operation] of open) {
      this.#recording.add(`${who}, caller ${caller}`, operation, began, { kind: 'unknown' })
    }
    return told
  }

  async #succeed(who: string, call: Caller, operation: Operation): Promise<void> {
    const outcome = await this.#recording.record(`${who}, on ${operation.id}`, operation, call)
    if (outcome.kind === 'gave') return
    const why = outcome.kind === 'failed' ? `${outcome.code}: ${outcome.message}` : 'an unknown outcome'
    const clause = outcome.kind === 'failed' && outcome.code === 'STORE_BUSY' ? 'settles' : 'stored'
    breaks(clause, `beside a process that was killed, ${operation.method} by ${who} fails with ${why}`)
  }

  #append(id: string): Operation {
    return append(id, turns(1, this.#random, this.name))
  }
}

function readsOf(id: string): Operation[] {
  return [
    { method: 'loadSession', id },
    { method: 'loadSummary', id },
    { method: 'readTurns', id, range: {} },
    { method: 'readTurns', id, range: { last: 1 } },
    { method: 'readTurns', id, range: {}, options: { parts: 'none' } },
    { method: 'readParts', id, turnId: STEPS, range: { list: 'items' } },
  ]
}

function everyMethod(store: SessionStore): Child['call'] {
  return async (method, ...args) => {
    const result: unknown = await Reflect.apply(store[method], store, args)
    return untyped(JSON.parse(JSON.stringify(result ?? null)))
  }
}

/** Asserts that listed sessions can be loaded. A session that is listed, missing and listed again is a failure. */
async function expectNoGhosts(who: string, call: Child['call']): Promise<void> {
  const listed = async (): Promise<string[]> => [
    ...idsIn(await call('listSessions')),
    ...idsIn(await call('querySessions', { limit: 1000 })),
  ]
  const missing: string[] = []
  for (const id of new Set(await listed())) if ((await call('loadSession', id)) === null) missing.push(id)
  if (missing.length === 0) return
  const again = await listed()
  same(
    missing.filter(id => again.includes(id)),
    [],
    `sessions that ${who} lists but that do not exist`,
  )
}

/** The ids of a list or page, sorted. */
function idsIn(listed: unknown): string[] {
  const isPage = typeof listed === 'object' && listed !== null && 'sessions' in listed
  const sessions: unknown = isPage ? listed.sessions : listed
  return Array.isArray(sessions)
    ? sessions.map((each: unknown) => (hasId(each) ? each.sessionId : String(each))).toSorted()
    : []
}

function hasId(value: unknown): value is { sessionId: string } {
  return typeof value === 'object' && value !== null && 'sessionId' in value && typeof value.sessionId === 'string'
}
