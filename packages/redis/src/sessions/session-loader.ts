import {
  type AgentTransitionRecord,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
  TurnstoreError,
  type TurnRecord,
} from '@turnstore/core'
import { Backoff, inScope, type CheckedTurnRange, type Scope } from '@turnstore/core/adapter'
import type { Args, Call, ServerConnection } from '../server/server-connection.js'
import { type Keyspace, scopeField, turnField } from '../format/keyspace.js'
import { readTexts, readTextsOrNull } from '../server/redis-client.js'
import { corruptSession, wasRefusedWith } from '../server/redis-errors.js'
import {
  decodeFields,
  decodeHead,
  decodeStateFields,
  type Head,
  HEAD_FIELDS,
  HEAD_LENGTH,
  STATE_FIELDS,
} from '../format/session-head.js'
import { decodeStoredTransition, decodeStoredTurns } from '../format/stored-records.js'
import { refusalOf } from '../format/script-replies.js'

/**
 * Bytes that one script reads. A small part does not block the server, and is decoded while the next one is on its way.
 * If the session is replaced in between, the parts of the next attempt are larger, until one holds the whole session.
 */
const PART_BYTES = 256 * 1024
const PART_GROWTH = 4

/** The last turns are read in one reply, whatever their size, if they are at most this many. */
const MOST_IN_ONE_REPLY = 32

const ALL = Number.MAX_SAFE_INTEGER

/** A part of a session at one moment, with its texts not decoded yet. */
interface Part {
  readonly head: Head
  readonly firstIndex: number
  /** The index after the last turn of the range, which a later part may hold. */
  readonly endIndex: number
  readonly turns: readonly string[]
  readonly firstTransition: number
  readonly transitions: readonly string[]
  readonly idCount: number
}

/** A session, or the range that was asked for, at one moment. */
export interface Whole {
  readonly head: Head
  readonly firstIndex: number
  readonly turns: TurnRecord[]
  readonly transitions: AgentTransitionRecord[]
  /** How many ids of turns and transitions there were when the first part was read. */
  readonly idCount: number
}

/** The ranges to read in one part, and a limit in bytes. */
interface Wanted {
  readonly turns: Args
  readonly transitions: Args
  readonly bytes: number
}

/** Reads sessions: a short one at once, a long one in consistent parts. */
export class SessionLoader {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace

  constructor(connection: ServerConnection, keyspace: Keyspace) {
    this.#connection = connection
    this.#keyspace = keyspace
  }

  async load(sessionId: string, scope: Scope, call: Call): Promise<SessionRecord | null> {
    const whole = await this.examine(sessionId, scope, call)
    if (whole === null) return null
    const { turnCount: _turns, agentTransitionCount: _transitions, ...summary } = whole.head.summary
    const { extra } = whole.head
    return { ...summary, turns: whole.turns, agentTransitions: whole.transitions, ...(extra && { extra }) }
  }

  /**
   * Reads and checks all of a session. Required before it is replaced or deleted.
   * @param before what an earlier attempt read: if only appends happened since, the rest is read
   * @throws `CORRUPT_SESSION` if any part cannot be read or contradicts another
   */
  async examine(sessionId: string, scope: Scope, call: Call, before: Whole | null = null): Promise<Whole | null> {
    const [turnCount, transitionCount] = [before?.turns.length ?? 0, before?.transitions.length ?? 0]
    const read = await this.#whole(sessionId, scope, ['from', turnCount, ALL], [transitionCount, ALL], call)
    if (read === null) return null
    if (before !== null && !isSame(read.head, before.head)) return this.examine(sessionId, scope, call)
    const whole = before === null ? read : joined(before, read)
    // The ids, not their fields: making the fields would add a fifth to the time of a load.
    const [turnIds, transitionIds] = [new Set<string>(), new Set<string>()]
    for (const { turnId } of whole.turns) turnIds.add(turnId)
    for (const { transitionId } of whole.transitions) if (transitionId !== null) transitionIds.add(transitionId)
    if (turnIds.size + transitionIds.size !== whole.idCount) {
      throw corruptSession(sessionId, 'ids of turns are missing or too many')
    }
    return whole
  }

  /**
   * For a session without a head: resolves if it has no other keys either.
   * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`
   */
  async checkGone(sessionId: string, call: Call): Promise<void> {
    await this.#part(sessionId, undefined, { turns: ['last', 0, 0], transitions: [0, 0], bytes: 0 }, call)
  }

  async readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope, call: Call): Promise<TurnPage | null> {
    if (range.kind === 'last' && range.last > 0 && range.last <= MOST_IN_ONE_REPLY) {
      try {
        return await this.#tail(sessionId, range.last, scope, call)
      } catch (error) {
        // A full server refuses every transaction, but runs a script that only reads.
        if (!wasRefusedWith(error, 'OOM')) throw error
      }
    }
    const whole = await this.#whole(sessionId, scope, rangeArgs(range), [0, 0], call)
    if (whole === null) return null
    const [first] = whole.turns
    if (range.kind === 'turnId' && first !== undefined && first.turnId !== range.turnId) {
      throw corruptSession(sessionId, `the id of another turn points to turn ${whole.firstIndex}`)
    }
    const { turnCount, revision } = whole.head.summary
    return { turns: whole.turns, firstIndex: whole.firstIndex, turnCount, revision }
  }

  /** The last few turns, which are the most frequent read. */
  async #tail(sessionId: string, last: number, scope: Scope, call: Call): Promise<TurnPage | null> {
    const [head, turns] = this.#keyspace.session(sessionId)
    const commands = [
      ['hmget', head, ...STATE_FIELDS],
      ['lrange', turns, -last, -1],
    ]
    const [fields, texts] = await this.#connection.sendTogether(commands, call)
    const state = decodeStateFields(sessionId, readTextsOrNull(fields))
    if (state === null) await this.checkGone(sessionId, { ...call, sessionId })
    if (state === null || !inScope(state, scope)) return null
    const { turnCount, revision } = state
    const found = readTexts(texts)
    if (found.length !== Math.min(last, turnCount)) throw corruptSession(sessionId, 'turns are missing or too many')
    const firstIndex = turnCount - found.length
    return {
      turns: decodeStoredTurns(sessionId, found, firstIndex),
      firstIndex,
      turnCount,
      revision,
    }
  }

  async summary(sessionId: string, scope: Scope, call: Call): Promise<SessionSummary | null> {
    const [head] = this.#keyspace.session(sessionId)
    const stored = decodeFields(
      sessionId,
      readTextsOrNull(await this.#connection.send('hmget', [head, ...HEAD_FIELDS], call)),
    )
    if (stored === null) await this.checkGone(sessionId, { ...call, sessionId })
    return stored === null || !inScope(stored.summary, scope) ? null : stored.summary
  }

  /**
   * Reads a range of turns and one of transitions, as they were at one moment. Appends in between add after these
   * ranges. Any other change makes it start again.
   */
  async #whole(
    sessionId: string,
    scope: Scope,
    turns: Args,
    [firstTransition, mostTransitions]: readonly [first: number, most: number],
    call: Call,
  ): Promise<Whole | null> {
    const backoff = new Backoff(call.deadline - performance.now())
    for (let bytes = PART_BYTES; ; bytes *= PART_GROWTH) {
      const wanted = { turns, transitions: [firstTransition, mostTransitions], bytes }
      const first = await this.#part(sessionId, scope, wanted, call)
      if (first === null) return null
      const end = Math.min(firstTransition + mostTransitions, first.head.summary.agentTransitionCount)
      const whole = await this.#complete(sessionId, first, end, bytes, call)
      if (whole !== null) return whole
      if (!(await backoff.wait())) {
        throw new TurnstoreError(
          'STORE_BUSY',
          `Session ${sessionId} changes faster than it can be read; try again later`,
        )
      }
    }
  }

  /** Decodes each part while the next one is on its way. Null if the session was changed other than by appends. */
  async #complete(
    sessionId: string,
    first: Part,
    endTransition: number,
    bytes: number,
    call: Call,
  ): Promise<Whole | null> {
    const { head, firstIndex, endIndex } = first
    const turns: TurnRecord[] = []
    const transitions: AgentTransitionRecord[] = []
    for (let part = first; ;) {
      const from = part.firstIndex + part.turns.length
      const fromTransition = part.firstTransition + part.transitions.length
      const isLast = from >= endIndex && fromTransition >= endTransition
      const wanted = {
        turns: ['from', from, endIndex - from],
        transitions: [fromTransition, endTransition - fromTransition],
        bytes,
      }
      const coming = isLast ? null : this.#part(sessionId, undefined, wanted, call)
      // Decoding a damaged part throws before this is awaited.
      coming?.catch(() => {})
      for (const turn of decodeStoredTurns(sessionId, part.turns, firstIndex + turns.length)) turns.push(turn)
      for (const [index, text] of part.transitions.entries()) {
        transitions.push(decodeStoredTransition(sessionId, text, part.firstTransition + index))
      }
      const next = await coming
      if (next === null) return isLast ? { head, firstIndex, turns, transitions, idCount: first.idCount } : null
      if (!isSame(next.head, head)) return null
      part = next
    }
  }

  async #part(sessionId: string, scope: Scope, wanted: Wanted, call: Call): Promise<Part | null> {
    const keys = this.#keyspace.session(sessionId).slice(0, 4)
    const args = [scopeField(scope), ...wanted.turns, ...wanted.transitions, wanted.bytes]
    const reply = await this.#connection.run('read', keys, args, call)
    if (reply[0] === 'missing') return null
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    const firstText = HEAD_LENGTH + 5
    const [firstIndex = 0, endIndex = 0, count = 0, , idCount = 0] = reply.slice(HEAD_LENGTH, firstText).map(Number)
    return {
      head: decodeHead(sessionId, reply.slice(1, HEAD_LENGTH)),
      firstIndex,
      endIndex,
      turns: reply.slice(firstText, firstText + count),
      firstTransition: Number(wanted.transitions[0]),
      transitions: reply.slice(firstText + count),
      idCount,
    }
  }
}

/** Whether a session was changed only by appends between two reads. */
function isSame(one: Head, other: Head): boolean {
  return one.generation === other.generation && one.wideRevision === other.wideRevision
}

function joined(before: Whole, rest: Whole): Whole {
  return {
    ...rest,
    firstIndex: before.firstIndex,
    turns: [...before.turns, ...rest.turns],
    transitions: [...before.transitions, ...rest.transitions],
  }
}

function rangeArgs(range: CheckedTurnRange): Args {
  if (range.kind === 'last') return ['last', range.last, 0]
  if (range.kind === 'from') return ['from', range.from, range.limit]
  return ['id', turnField(range.turnId), 0]
}
