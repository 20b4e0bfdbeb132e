import {
  type AgentTransitionRecord,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
  TurnstoreError,
  type TurnRecord,
} from '@turnstore/core'
import { Backoff, inScope, type NormalTurnRange, type Scope } from '@turnstore/core/adapter'
import type { Args, Call, Connection } from './connection.js'
import { type Keyspace, scopeField, turnField } from './keyspace.js'
import { readTexts, readTextsOrNull } from './redis-client.js'
import { corruptSession } from './redis-errors.js'
import {
  decodeFields,
  decodeHead,
  decodeStoredTransition,
  decodeStoredTurn,
  type Head,
  HEAD_FIELDS,
  HEAD_LENGTH,
  refusalOf,
} from './stored-session.js'

/** Bytes of turns that one script gives; more would hold up the server's other clients. */
const PART_BYTES = 1024 * 1024

/** Turns that may come in one reply whatever their size. */
const FEW = 32

const ALL = Number.MAX_SAFE_INTEGER

/** A part of a session, of one moment. */
interface Part {
  readonly head: Head
  readonly firstIndex: number
  /** Behind the last turn that is meant, which may come with a later part. */
  readonly endIndex: number
  readonly turns: TurnRecord[]
  readonly transitions: AgentTransitionRecord[]
}

/** Which stretches a part is to hold. */
interface Wanted {
  readonly turns: Args
  readonly transitions: Args
}

/** Reads sessions: short ones at once, long ones in parts that fit together. */
export class SessionReader {
  readonly #connection: Connection
  readonly #keyspace: Keyspace

  constructor(connection: Connection, keyspace: Keyspace) {
    this.#connection = connection
    this.#keyspace = keyspace
  }

  async load(sessionId: string, scope: Scope, call: Call): Promise<SessionRecord | null> {
    const whole = await this.#whole(sessionId, scope, ['from', 0, ALL], ALL, call)
    if (whole === null) return null
    const { turnCount: _turns, agentTransitionCount: _transitions, ...summary } = whole.head.summary
    const { extra } = whole.head
    return { ...summary, turns: whole.turns, agentTransitions: whole.transitions, ...(extra && { extra }) }
  }

  async readTurns(sessionId: string, range: NormalTurnRange, scope: Scope, call: Call): Promise<TurnPage | null> {
    if (range.kind === 'last' && range.last > 0 && range.last <= FEW)
      return this.#tail(sessionId, range.last, scope, call)
    const whole = await this.#whole(sessionId, scope, rangeArgs(range), 0, call)
    if (whole === null) return null
    const { turnCount, revision } = whole.head.summary
    return { turns: whole.turns, firstIndex: whole.firstIndex, turnCount, revision }
  }

  /** The last few turns: what is read most. */
  async #tail(sessionId: string, last: number, scope: Scope, call: Call): Promise<TurnPage | null> {
    const [head, turns] = this.#keyspace.session(sessionId)
    const commands = [
      ['hmget', head, ...HEAD_FIELDS],
      ['lrange', turns, -last, -1],
    ]
    const [fields, texts] = await this.#connection.sendTogether(commands, call)
    const stored = decodeFields(sessionId, readTextsOrNull(fields))
    if (stored === null || !inScope(stored.summary, scope)) return null
    const { turnCount, revision } = stored.summary
    const found = readTexts(texts)
    if (found.length !== Math.min(last, turnCount)) throw corruptSession(sessionId, 'turns are missing or too many')
    const firstIndex = turnCount - found.length
    return {
      turns: found.map((text, index) => decodeStoredTurn(sessionId, text, firstIndex + index)),
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
    return stored === null || !inScope(stored.summary, scope) ? null : stored.summary
  }

  /** Transitions of a session, all or, from one on, those that fit. */
  async transitions(
    sessionId: string,
    call: Call,
  ): Promise<{ head: Head; transitions: AgentTransitionRecord[] } | null> {
    return this.#whole(sessionId, undefined, ['last', 0, 0], ALL, call)
  }

  /**
   * A stretch of turns and the first so many transitions, as they were at one moment. Appends that come
   * in between add behind what was read, so only other changes make us begin again.
   */
  async #whole(sessionId: string, scope: Scope, turnArgs: Args, most: number, call: Call): Promise<Part | null> {
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const first = await this.#part(sessionId, scope, { turns: turnArgs, transitions: [0, most] }, call)
      if (first === null) return null
      if (await this.#complete(sessionId, first, Math.min(most, first.head.summary.agentTransitionCount), call))
        return first
      if (!(await backoff.wait())) {
        throw new TurnstoreError(
          'STORE_BUSY',
          `Session ${sessionId} changes faster than it can be read; try again later`,
        )
      }
    }
  }

  /** Adds the parts that are missing; false where the session has become another. */
  async #complete(sessionId: string, whole: Part, transitionCount: number, call: Call): Promise<boolean> {
    const { turns, transitions, firstIndex, endIndex } = whole
    while (firstIndex + turns.length < endIndex || transitions.length < transitionCount) {
      const from = firstIndex + turns.length
      const wanted = {
        turns: ['from', from, endIndex - from],
        transitions: [transitions.length, transitionCount - transitions.length],
      }
      const part = await this.#part(sessionId, undefined, wanted, call)
      if (part?.head.generation !== whole.head.generation || part.head.wideRevision !== whole.head.wideRevision)
        return false
      for (const turn of part.turns) turns.push(turn)
      for (const transition of part.transitions) transitions.push(transition)
    }
    return true
  }

  async #part(sessionId: string, scope: Scope, wanted: Wanted, call: Call): Promise<Part | null> {
    const keys = this.#keyspace.session(sessionId).slice(0, 4)
    const args = [scopeField(scope), ...wanted.turns, ...wanted.transitions, PART_BYTES]
    const reply = await this.#connection.run('read', keys, args, call)
    if (reply[0] === 'missing') return null
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    const head = decodeHead(sessionId, reply.slice(1, HEAD_LENGTH))
    const [firstIndex = 0, endIndex = 0, count = 0] = reply.slice(HEAD_LENGTH, HEAD_LENGTH + 4).map(Number)
    const firstText = HEAD_LENGTH + 4
    const firstTransition = Number(wanted.transitions[0])
    return {
      head,
      firstIndex,
      endIndex,
      turns: reply
        .slice(firstText, firstText + count)
        .map((text, index) => decodeStoredTurn(sessionId, text, firstIndex + index)),
      transitions: reply
        .slice(firstText + count)
        .map((text, index) => decodeStoredTransition(sessionId, text, firstTransition + index)),
    }
  }
}

function rangeArgs(range: NormalTurnRange): Args {
  if (range.kind === 'last') return ['last', range.last, 0]
  if (range.kind === 'from') return ['from', range.from, range.limit]
  return ['id', turnField(range.turnId), 0]
}
