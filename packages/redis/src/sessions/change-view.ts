import { type AgentTransitionRecord, type TurnRecord } from '@turnstore/core'
import { type CheckedChange, type Scope, type SessionView } from '@turnstore/core/adapter'
import type { Call, ServerConnection } from '../server/server-connection.js'
import { type Keyspace, scopeField, transitionField, turnField } from '../format/keyspace.js'
import { readTextsOrNull } from '../server/redis-client.js'
import { corruptSession } from '../server/redis-errors.js'
import type { SessionLoader, Whole } from './session-loader.js'
import { decodeHead, type Head, HEAD_LENGTH } from '../format/session-head.js'
import { decodeStoredTransition, decodeStoredTurn } from '../format/stored-records.js'
import { refusalOf } from '../format/script-replies.js'

/** The most ids in one command. */
const MOST_IDS = 2000

/** The part of a session that the decision about a change needs. */
export interface ReadView {
  readonly head: Head
  readonly view: SessionView
  /** The places of the ids that were looked up, by id field. '' for an id that the session does not have. */
  readonly places: ReadonlyMap<string, string>
  /** Null if no turns are dropped. */
  readonly rewind: Rewind | null
}

interface Rewind {
  /** The places that stay, by the id field of each dropped turn and transition. '' for none. */
  readonly dropped: ReadonlyMap<string, string>
  readonly transitions: readonly AgentTransitionRecord[]
}

/** What the attempts of one change have read of the session. */
export interface Examined {
  whole: Whole | null
}

/** Reads what the decision about a change depends on, and nothing else. */
export class ChangeViewReader {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #loader: SessionLoader

  constructor(connection: ServerConnection, keyspace: Keyspace, loader: SessionLoader) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#loader = loader
  }

  /**
   * Null if there is no such session. 'moved' if it was changed while it was read.
   * @param examined is kept through all attempts of a change: a rewind reads the whole session only once
   */
  async read(
    sessionId: string,
    change: CheckedChange,
    scope: Scope,
    call: Call,
    examined: Examined,
  ): Promise<ReadView | null | 'moved'> {
    const turnIds = [...new Set([...change.updateTurns, ...change.appendTurns].map(({ turnId }) => turnId))]
    const transitionIds = [...new Set(change.appendAgentTransitions.flatMap(({ transitionId }) => transitionId ?? []))]
    const reply = await this.#connection.run(
      'view',
      this.#keyspace.session(sessionId).slice(0, 4),
      [
        scopeField(scope),
        change.keepTurns ?? '',
        turnIds.length,
        transitionIds.length,
        ...turnIds.map(turnField),
        ...transitionIds.map(transitionField),
      ],
      call,
    )
    if (reply[0] === 'missing') return null
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    const head = decodeHead(sessionId, reply.slice(1, HEAD_LENGTH))

    const places = new Map<string, string>()
    const turns = new Map<string, { turn: TurnRecord; index: number }>()
    const transitions = new Map<string, AgentTransitionRecord>()
    let at = HEAD_LENGTH
    for (const id of turnIds) {
      const [known = '', last = '', text = ''] = reply.slice(at, at + 3)
      at += 3
      places.set(turnField(id), known)
      const index = Number(last)
      if (last === '') continue
      const turn = decodeStoredTurn(sessionId, text, index)
      if (turn.turnId !== id) throw corruptSession(sessionId, `the id of another turn points to turn ${index}`)
      turns.set(id, { turn, index })
    }
    for (const id of transitionIds) {
      const [known = '', text = ''] = reply.slice(at, at + 2)
      at += 2
      places.set(transitionField(id), known)
      if (known !== '') transitions.set(id, decodeStoredTransition(sessionId, text, Number(known)))
    }

    const isRewind = change.keepTurns !== undefined && change.keepTurns < head.summary.turnCount
    const found = isRewind ? await this.#readRewind(sessionId, change.keepTurns, head, call, examined) : null
    if (found === 'moved') return 'moved'
    const view: SessionView = {
      ...head.summary,
      findTurn: turnId => turns.get(turnId),
      firstIndexOfTurn: turnId => found?.firstIndexes.get(turnId) ?? -1,
      findTransition: transitionId => transitions.get(transitionId),
    }
    return {
      head,
      view,
      places,
      rewind: found === null ? null : { dropped: found.dropped, transitions: found.transitions },
    }
  }

  /** What a rewind drops. Reads and checks the whole session, including what stays. */
  async #readRewind(sessionId: string, keepTurns: number, head: Head, call: Call, examined: Examined) {
    const whole = await this.#loader.examine(sessionId, undefined, call, examined.whole)
    examined.whole = whole
    if (whole?.head.summary.revision !== head.summary.revision) return 'moved'
    const { transitions } = whole
    const turnIds = new Set(whole.turns.slice(keepTurns).map(({ turnId }) => turnId))
    const ids = [...new Set([...turnIds, ...transitions.map(({ turnId }) => turnId)])]
    const dropped = new Map<string, string>()
    const firstIndexes = new Map<string, number>()
    for (let from = 0; from < ids.length; from += MOST_IDS) {
      const part = ids.slice(from, from + MOST_IDS)
      const [, , key] = this.#keyspace.session(sessionId)
      const known = readTextsOrNull(await this.#connection.send('hmget', [key, ...part.map(turnField)], call))
      for (const [index, id] of part.entries()) {
        const places = (known[index] ?? '').split(' ').filter(place => place !== '')
        const [first] = places
        if (first !== undefined) firstIndexes.set(id, indexOf(first))
        if (turnIds.has(id)) dropped.set(turnField(id), places.filter(place => indexOf(place) < keepTurns).join(' '))
      }
    }
    for (const { transitionId } of transitions) {
      if (transitionId !== null) dropped.set(transitionField(transitionId), '')
    }
    return { dropped, firstIndexes, transitions }
  }
}

/** The index in a place: `17`, or `17:4` for a turn that was updated at revision 4. */
function indexOf(place: string): number {
  return Number.parseInt(place, 10)
}
