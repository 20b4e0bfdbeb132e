import {
  type AgentTransitionRecord,
  type PartList,
  type PartPage,
  type SessionRecord,
  type SessionSummary,
  type TurnHeadPage,
  type TurnPage,
  TurnstoreError,
  type TurnRecord,
} from '@turnstore/core'
import {
  Backoff,
  type CheckedPartRange,
  type Glimpse,
  inScope,
  pageOfParts,
  RecentMap,
  type CheckedTurnRange,
  type Scope,
} from '@turnstore/core/adapter'
import { type Keyspace, scopeField, turnField } from '../format/keyspace.js'
import { letterOf, readName } from '../format/part-names.js'
import { refusalOf } from '../format/script-replies.js'
import { decodeFields, decodeState, type Head, STATE_FIELD } from '../format/session-head.js'
import { decodeStoredTurn, decodeStoredTurns } from '../format/stored-records.js'
import { readDescription } from '../format/stored-turn.js'
import { readTexts } from '../server/redis-client.js'
import { HeadReader } from '../listing/head-reader.js'
import { corruptSession, wasRefusedWith } from '../server/redis-errors.js'
import type { Args, Call, ServerConnection } from '../server/server-connection.js'
import { PartsByPlace } from './open-turn.js'
import { type Ranges, SessionReplica } from './session-replica.js'

/** Bytes that one script reads. A small part does not block the server, and is decoded while the next one is on its way. */
const PART_BYTES = 256 * 1024

/** The last turns are read in one reply, whatever their size, if they are at most this many. */
const MOST_IN_ONE_REPLY = 32

/** Sessions of which is remembered how their last turns are stored. */
const REMEMBERED = 10_000

const ALL = Number.MAX_SAFE_INTEGER

/** A session at one moment. */
export interface Whole {
  readonly head: Head
  readonly turns: TurnRecord[]
  readonly transitions: AgentTransitionRecord[]
  /** What was read. Reading can go on from it. */
  readonly replica: SessionReplica
}

const WHOLE: Ranges = { turns: ['from', 0, ALL], transitions: [0, ALL], what: 'parts' }

/** Reads sessions: a short one at once, a long one in consistent parts. */
export class SessionLoader {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  /** Sessions that had an open turn among the last ones: the script that reads those is asked at once. */
  readonly #withOpenTail = new RecentMap<true>(REMEMBERED)

  readonly #heads: HeadReader

  constructor(connection: ServerConnection, keyspace: Keyspace) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#heads = new HeadReader(connection, keyspace)
  }

  async load(sessionId: string, scope: Scope, call: Call): Promise<SessionRecord | null> {
    const whole = await this.examine(sessionId, scope, call)
    if (whole === null) return null
    const { turnCount: _turns, lastTurn: _last, agentTransitionCount: _transitions, ...summary } = whole.head.summary
    const { extra } = whole.head
    return { ...summary, turns: whole.turns, agentTransitions: whole.transitions, ...(extra && { extra }) }
  }

  /**
   * Reads and checks all of a session. Required before it is replaced or deleted.
   * @param before what an earlier attempt read: only what has changed since is read
   * @throws `CORRUPT_SESSION` if any part cannot be read or contradicts another
   */
  async examine(sessionId: string, scope: Scope, call: Call, before: Whole | null = null): Promise<Whole | null> {
    const replica = await this.#read(sessionId, scope, WHOLE, call, before?.replica)
    if (replica === null) return null
    replica.checkIds()
    return { head: replica.head, turns: replica.turns(), transitions: replica.transitions, replica }
  }

  /**
   * For a session without a head: resolves if it has no other keys either.
   * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`
   */
  async checkGone(sessionId: string, call: Call): Promise<void> {
    await this.#read(sessionId, undefined, { turns: ['last', 0, 0], transitions: [0, 0], what: 'heads' }, call)
  }

  async readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope, call: Call): Promise<TurnPage | null> {
    const isTail = range.kind === 'last' && range.last > 0 && range.last <= MOST_IN_ONE_REPLY
    if (isTail && this.#withOpenTail.get(sessionId) === undefined) {
      try {
        const page = await this.#tail(sessionId, range.last, scope, call)
        if (page !== 'open') return page
        this.#withOpenTail.set(sessionId, true)
      } catch (error) {
        // A full server refuses every transaction, but runs a script that only reads.
        if (!wasRefusedWith(error, 'OOM')) throw error
      }
    }
    const replica = await this.#readRange(sessionId, range, scope, 'parts', call)
    if (isTail && replica?.openTurns().length === 0) this.#withOpenTail.delete(sessionId)
    return replica === null ? null : { turns: replica.turns(), ...positionOf(replica) }
  }

  async readHeads(sessionId: string, range: CheckedTurnRange, scope: Scope, call: Call): Promise<TurnHeadPage | null> {
    const replica = await this.#readRange(sessionId, range, scope, 'heads', call)
    return replica === null ? null : { turns: replica.heads(), ...positionOf(replica) }
  }

  async #readRange(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
    what: Ranges['what'],
    call: Call,
  ): Promise<SessionReplica | null> {
    const ranges: Ranges = { turns: turnsOf(range), transitions: [0, 0], what }
    const replica = await this.#read(sessionId, scope, ranges, call)
    const [first] = range.kind === 'turnId' ? (replica?.heads() ?? []) : []
    if (range.kind === 'turnId' && first !== undefined && first.turnId !== range.turnId) {
      throw corruptSession(sessionId, `the id of another turn points to turn ${replica?.firstIndex}`)
    }
    return replica
  }

  /** The last few turns, which are the most frequent read. 'open' if one of them is stored open. */
  async #tail(sessionId: string, last: number, scope: Scope, call: Call): Promise<TurnPage | null | 'open'> {
    const [head, turns] = this.#keyspace.session(sessionId)
    const commands = [
      ['hget', head, STATE_FIELD],
      ['lrange', turns, -last, -1],
    ]
    const [text, texts] = await this.#connection.sendTogether(commands, call)
    const found = readTexts(texts)
    if (text === null) {
      await this.checkGone(sessionId, { ...call, sessionId })
      return null
    }
    const state = decodeState(sessionId, typeof text === 'string' ? text : '')
    if (!inScope(state, scope)) return null
    const { turnCount, revision } = state
    if (found.length !== Math.min(last, turnCount)) throw corruptSession(sessionId, 'turns are missing or too many')
    if (!found.every(each => each.startsWith('{'))) return 'open'
    const firstIndex = turnCount - found.length
    return { turns: decodeStoredTurns(sessionId, found, firstIndex), firstIndex, turnCount, revision }
  }

  async summary(sessionId: string, scope: Scope, call: Call): Promise<SessionSummary | null> {
    return (await this.glimpse(sessionId, scope, call))?.summary ?? null
  }

  /** A session for a watch. No other has its generation, and within the session the revision tells more. */
  async glimpse(sessionId: string, scope: Scope, call: Call): Promise<Glimpse | null> {
    const stored = decodeFields(sessionId, await this.#heads.readOne(sessionId, call))
    if (stored === null) await this.checkGone(sessionId, { ...call, sessionId })
    if (stored === null || !inScope(stored.summary, scope)) return null
    return { summary: stored.summary, life: stored.state.generation }
  }

  /** The states of sessions, in commands that are sent together. */
  async glance(sessionIds: readonly string[], call: Call): Promise<Map<string, string>> {
    const states = await Promise.all(
      sessionIds.map(async id => {
        const [head] = this.#keyspace.session(id)
        return this.#connection.send('hget', [head, STATE_FIELD], { ...call, sessionId: id })
      }),
    )
    return new Map(sessionIds.flatMap((id, at) => (typeof states[at] === 'string' ? [[id, states[at]]] : [])))
  }

  /** Reads ranges as they are at one moment. Only a rewind or a save makes it start again. */
  async #read(
    sessionId: string,
    scope: Scope,
    ranges: Ranges,
    call: Call,
    before?: SessionReplica,
  ): Promise<SessionReplica | null> {
    const backoff = new Backoff(call.deadline - performance.now())
    for (let replica = before ?? new SessionReplica(sessionId, ranges); ;) {
      const found = await this.#complete(sessionId, scope, replica, call)
      if (found === null) return null
      if (found) return replica
      if (!(await backoff.wait())) throw changesTooFast(sessionId)
      replica = new SessionReplica(sessionId, ranges)
    }
  }

  /** Decodes each part while the next one is on its way. False if the session was replaced; null if there is none. */
  async #complete(sessionId: string, scope: Scope, replica: SessionReplica, call: Call): Promise<boolean | null> {
    let reply = await this.#run('read', sessionId, [scopeField(scope), ...replica.request(), PART_BYTES], call)
    for (;;) {
      if (reply === null || reply[0] === 'stale') return reply === null ? null : false
      const read = replica.readReply(reply)
      if (read === null) return false
      const isLast = replica.isComplete(read)
      const coming = isLast
        ? null
        : this.#run('read', sessionId, [scopeField(scope), ...replica.request(read), PART_BYTES], call)
      // Decoding a damaged part throws before this is awaited.
      coming?.catch(() => {})
      replica.add(read)
      if (coming === null) return true
      reply = await coming
    }
  }

  /** An open turn with all its parts, and its description. Null if there is no turn with this id, or if it is whole. */
  async readWholeTurn(
    sessionId: string,
    turnId: string,
    call: Call,
  ): Promise<{ token: string; turn: TurnRecord; description: string } | null> {
    const replica = await this.#readRange(sessionId, { kind: 'turnId', turnId }, undefined, 'parts', call)
    const [open] = replica?.openTurns() ?? []
    return open === undefined ? null : { token: open.token, turn: open.whole(), description: open.description }
  }

  /** A range of the parts of the last turn with an id. Null without the session or the turn. */
  async readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
    call: Call,
  ): Promise<PartPage<List> | null> {
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const page = await this.#tryParts(sessionId, turnId, range, scope, call)
      if (page !== 'moved') return page
      if (!(await backoff.wait())) throw changesTooFast(sessionId)
    }
  }

  /** 'moved' if parts were removed from the list meanwhile, or if the session was replaced. */
  async #tryParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
    call: Call,
  ): Promise<PartPage<List> | null | 'moved'> {
    const { list } = range
    const most = range.kind === 'last' ? ALL : range.limit
    const request = [scopeField(scope), turnField(turnId), letterOf(list)]
    const parts = new PartsByPlace(sessionId)
    let known: { readonly token: string; readonly firstIndex: number; readonly firstPlace: number } | null = null
    let next: Args = [range.kind, range.kind === 'last' ? range.last : range.from, most, '']
    for (;;) {
      const reply = await this.#run('parts', sessionId, [...request, ...next, PART_BYTES], call)
      if (reply === null || reply[0] === 'none') return known === null ? null : 'moved'
      const [status, text, token = '', description = '', first, start, end, ...values] = reply
      if (status === 'stale') return 'moved'
      const { revision, turnCount, logged } = decodeState(sessionId, text)
      if (known !== null && known.token !== token) return 'moved'
      if (token === '') return pageOfParts(decodeStoredTurn(sessionId, description, turnCount), range, revision)
      known ??= { token, firstIndex: Number(first), firstPlace: Number(start) }
      for (let at = 0; at < values.length; at += 2) {
        const changed = readName(values[at] ?? '')
        const value = values[at + 1] ?? ''
        if (changed.kind !== 'part' || changed.token !== token || changed.list !== list) continue
        // The indexes of those after it have changed.
        if (value === '') return 'moved'
        if (changed.place >= known.firstPlace && changed.place < Number(end)) parts.set(list, changed.place, value)
      }
      const count = readDescription(description)?.counts[list] ?? 0
      const read = parts.list(list).map(([, part]) => part)
      if (read.length >= Math.min(most, count - known.firstIndex)) {
        const skipped = range.kind === 'last' ? Math.max(0, read.length - range.last) : 0
        return { parts: read.slice(skipped, skipped + most), firstIndex: known.firstIndex + skipped, count, revision }
      }
      next = ['place', end ?? '', most - read.length, logged]
    }
  }

  /** Null if there is no such session. */
  async #run(name: 'read' | 'parts', sessionId: string, args: Args, call: Call): Promise<string[] | null> {
    const reply = await this.#connection.run(name, this.#keyspace.session(sessionId), args, call)
    if (reply[0] === 'missing') return null
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    return reply
  }
}

function changesTooFast(sessionId: string): TurnstoreError {
  return new TurnstoreError('STORE_BUSY', `Session ${sessionId} changes faster than it can be read; try again later`)
}

function positionOf(replica: SessionReplica): Omit<TurnPage, 'turns'> {
  const { turnCount, revision } = replica.head.state
  return { firstIndex: replica.firstIndex, turnCount, revision }
}

function turnsOf(range: CheckedTurnRange): Ranges['turns'] {
  if (range.kind === 'last') return ['last', range.last, 0]
  if (range.kind === 'from') return ['from', range.from, Math.min(ALL, range.from + range.limit)]
  return ['id', turnField(range.turnId), 0]
}
