import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionStore } from '@turnstore/core'
import { type Bench, breaks } from '../../cases/cases.js'
import type { Child } from '../../child/child.js'
import type { Note } from '../../child/protocol.js'
import { append, type Names, names, turns } from '../../histories/crash-work.js'
import { fail, nameOf, same } from '../../checks/expect.js'
import { expectSingleOrder } from '../../histories/expect-order.js'
import { untyped } from '../../samples/methods.js'
import type { State } from '../../histories/model.js'
import { type Caller, callerOf, type Operation } from '../../histories/operations.js'
import type { Random } from '../../samples/random.js'
import { turnOfTheEventLoop } from '../../checks/races.js'
import { Recording } from '../../histories/recording.js'
import { indexes, sessionOf } from '../../samples/samples.js'
import type { Call } from '../../histories/single-order.js'

/**
 * The data of one store, who works on it and who looks: a handle that is open all the time, a process that was open
 * when another was killed, and a handle that is opened afterwards.
 */
export class Scene {
  readonly name: Names = names('t')
  readonly #bench: Bench
  readonly #random: Random
  readonly #recording = new Recording()
  readonly #states = new Map<string, State>()
  /** Calls that were cut off and have not been seen to have happened: on a network they may be on their way still. */
  #cutOff: readonly Call[] = []
  /** Started ahead, since a process takes longer to start than to be killed. */
  readonly #started: Promise<Child>[] = []
  #turn = 0

  constructor(bench: Bench, random: Random) {
    this.#bench = bench
    this.#random = random
  }

  revisionOf(id: string): number {
    return this.#states.get(id)?.revision ?? 0
  }

  /** All sessions are deleted; what comes later is about others. */
  forget(): void {
    this.#states.clear()
    this.#cutOff = []
  }

  async create(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#bench.store.saveSession(sessionOf(id))
      this.#states.set(id, sessionOf(id))
    }
  }

  /** Kills a process at some moment while it works. Gives the calls of which it told, as they began. */
  async kill(round: number, callers: readonly (readonly Operation[])[]): Promise<Operation[]> {
    const child = await this.#nextChild()
    // After so many answers and a moment more, not after a time: a slow disk must not make it a test of nothing.
    const enough = round % 5 === 4 ? 0 : this.#random.below(24)
    return this.#killAfter(child, `process ${round}`, callers, enough)
  }

  /** Kills several that work on the same sessions, while the first handle goes on appending to them. */
  async killAll(
    round: number,
    count: number,
    work: () => (readonly Operation[])[],
    ids: readonly string[],
  ): Promise<void> {
    const children = await Promise.all(indexes(count).map(() => this.#nextChild()))
    const survivors = { done: false }
    const going = ids.map(async id => {
      for (let more = 2; more > 0; more -= survivors.done ? 1 : 0) {
        await this.#succeed('the handle that goes on', callerOf(this.#bench.store), this.#append(id))
        // A store whose driver waits in the call itself would leave no room for what the processes say, nor for any timer.
        await turnOfTheEventLoop()
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

  /** Another process makes the same calls once more. Each must succeed: it happens now, or has happened. */
  async repeat(operations: readonly Operation[]): Promise<void> {
    const child = await this.#idleChild()
    for (const operation of operations) await this.#succeed('the process that repeats', child.call, operation)
  }

  /**
   * That all who look see each session as the acknowledged calls left it, or as one that was cut off did; that all
   * can go on with it; and that the lists know the same sessions.
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
    // Before those that are not there are made anew.
    for (const [who, call] of observers) await expectNoGhosts(who, call)
    for (const id of ids) {
      const [who, call] = observers[this.#turn++ % observers.length] ?? fail('nobody looks')
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

  /** One to be killed. */
  #nextChild(): Promise<Child> {
    const child = this.#idleChild()
    void this.#started.shift()
    void this.#idleChild()
    return child
  }

  /** The one that is killed next; it is open by the time that another is killed. */
  #idleChild(): Promise<Child> {
    while (this.#started.length < 2) {
      const child = this.#bench.child()
      // Those that nobody comes to need end with the case.
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
      const operation = callers[caller]?.[place] ?? fail(`the process told of call ${place} of caller ${caller}`)
      if (outcome === undefined) {
        told.push(operation)
        open.set(caller, operation)
        return
      }
      open.delete(caller)
      // In another process all may have begun at any time since its start, but each caller's calls have an order.
      this.#recording.add(`${who}, caller ${caller}`, operation, began, outcome)
      if (++answers >= enough) reached()
    }
    if (enough === 0) reached()
    const work = child.work(callers, hear)
    await Promise.race([isEnough, work])
    await sleep(this.#random.below(10))
    await child.kill()
    await work.catch(error => fail(`the process that was to be killed ended by itself: ${nameOf(error)}`))
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
  ]
}

function everyMethod(store: SessionStore): Child['call'] {
  return async (method, ...args) => {
    const result: unknown = await Reflect.apply(store[method], store, args)
    return untyped(JSON.parse(JSON.stringify(result ?? null)))
  }
}

/** That who lists a session can load it; one that is listed, not there and listed again is none. */
async function expectNoGhosts(who: string, call: Child['call']): Promise<void> {
  const listed = async (): Promise<string[]> => [
    ...idsIn(await call('listSessions')),
    ...idsIn(await call('querySessions', { limit: 1000 })),
  ]
  const missing: string[] = []
  for (const id of new Set(await listed())) if ((await call('loadSession', id)) === null) missing.push(id)
  if (missing.length === 0) return
  const again = await listed()
  same(missing.filter(id => again.includes(id)), [], `sessions that ${who} lists, and that are not there`)
}

/** The ids of a list or of a page, in one order. */
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
