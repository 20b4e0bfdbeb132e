import type { AgentTransitionRecord, PartList, TurnRecord } from '@turnstore/core'
import {
  type ChangeCondition,
  type CheckedChange,
  isDropped,
  lookupsOf,
  type RememberedChange,
  type SessionView,
  type TurnLookup,
  type TurnView,
  turnViewOf,
} from '@turnstore/core/adapter'
import { type Keyspace, keyField, scopeField, transitionField, turnField } from '../format/keyspace.js'
import { EntryOfPart } from '../format/part-entry.js'
import { LISTS, nameField, partName } from '../format/part-names.js'
import { decodeRememberedText } from '../format/remembered-text.js'
import { refusalOf } from '../format/script-replies.js'
import { decodeHead, type Head, HEAD_LENGTH } from '../format/session-head.js'
import { decodeStoredTransition, decodeStoredTurn } from '../format/stored-records.js'
import { readDescription, splitElement } from '../format/stored-turn.js'
import { readTextsOrNull } from '../server/redis-client.js'
import { corruptSession } from '../server/redis-errors.js'
import type { Args, Call, ServerConnection } from '../server/server-connection.js'
import type { SessionLoader, Whole } from './session-loader.js'

/** The most ids in one command. */
const MOST_IDS = 2000

/** A turn that was looked up. */
export interface FoundTurn {
  readonly view: TurnView
  /** '' if it is whole. */
  readonly token: string
}

/** The part of a session that the decision about a change needs. */
export interface ReadView {
  readonly head: Head
  readonly view: SessionView
  readonly turns: ReadonlyMap<string, FoundTurn>
  /** The places of the ids that were looked up, by id field. '' for an id that the session does not have. */
  readonly places: ReadonlyMap<string, string>
  /** The fields of the hash of parts that the decision depends on. '' for one that is not there. */
  readonly fields: ReadonlyMap<string, string>
  /** Null if no turns are dropped. */
  readonly rewind: Rewind | null
}

interface Rewind {
  /** The places that stay, by the id field of each dropped turn and transition. '' for none. */
  readonly dropped: ReadonlyMap<string, string>
  readonly transitions: readonly AgentTransitionRecord[]
  /** The fields of the parts of dropped turns. */
  readonly leftovers: readonly string[]
}

/** What the attempts of one change have read of the session. */
export interface Examined {
  whole: Whole | null
  /** The turns that a decision has asked for with all their parts, by token. */
  readonly turns: Map<string, WholeTurn>
}

interface WholeTurn {
  readonly turn: TurnRecord
  readonly description: string
}

/** A decision needs an open turn with all its parts. It is read, and the decision made again. */
export class NeedsWholeTurn extends Error {
  readonly turnId: string
  readonly token: string

  constructor(turnId: string, token: string) {
    super('a decision needs a turn with all its parts')
    this.turnId = turnId
    this.token = token
  }
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
   * 'missing' if there is no such session, 'elsewhere' if its workspace is another. 'moved' if it was changed while it
   * was read.
   * @param examined is kept through all attempts of a change: a rewind reads the whole session only once
   */
  async read(
    sessionId: string,
    change: CheckedChange,
    { scope, idempotency }: ChangeCondition,
    call: Call,
    examined: Examined,
  ): Promise<ReadView | 'missing' | 'elsewhere' | 'moved'> {
    const { turns: lookups, transitionIds } = lookupsOf(change, { idempotency })
    const reply = await this.#connection.run(
      'view',
      this.#keyspace.session(sessionId),
      [
        scopeField(scope),
        change.keepTurns ?? '',
        lookups.length,
        transitionIds.length,
        keyField(idempotency?.key),
        ...lookups.map(({ turnId }) => turnField(turnId)),
        ...transitionIds.map(transitionField),
        ...lookups.flatMap(wantedOf),
      ],
      call,
    )
    if (reply[0] === 'missing') return reply[1] === 'elsewhere' ? 'elsewhere' : 'missing'
    const refusal = refusalOf(sessionId, reply)
    if (refusal !== null) throw refusal
    const read = new ViewReply(sessionId, reply, examined)
    for (const lookup of lookups) read.addTurn(lookup)
    for (const id of transitionIds) read.addTransition(id)
    const remembered = read.remembered()

    const { head, turns, transitions } = read
    const { keepTurns } = change
    const isRewind = keepTurns !== undefined && keepTurns < head.state.turnCount
    const found = isRewind ? await this.#readRewind(sessionId, keepTurns, head, call, examined) : null
    if (found === 'moved') return 'moved'
    const view: SessionView = {
      ...head.summary,
      findTurn: turnId => turns.get(turnId)?.view,
      firstIndexOfTurn: turnId => found?.firstIndexes.get(turnId) ?? -1,
      findTransition: transitionId => transitions.get(transitionId),
      findRemembered: key => (remembered?.key === key ? remembered : undefined),
    }
    return { head, view, turns, places: read.places, fields: read.fields, rewind: found }
  }

  /** Reads an open turn with all its parts for the next attempt. */
  async readWhole(sessionId: string, { turnId, token }: NeedsWholeTurn, call: Call, examined: Examined): Promise<void> {
    const read = await this.#loader.readWholeTurn(sessionId, turnId, call)
    // Another turn may have its id by now. Then the next attempt finds that one.
    if (read !== null && read.token === token) examined.turns.set(token, read)
  }

  /** What a rewind drops. Reads and checks the whole session, including what stays. */
  async #readRewind(sessionId: string, keepTurns: number, head: Head, call: Call, examined: Examined) {
    const whole = await this.#loader.examine(sessionId, undefined, call, examined.whole)
    examined.whole = whole
    if (whole?.head.state.revision !== head.state.revision) return 'moved'
    const { transitions, turns, replica } = whole
    const turnIds = new Set(turns.slice(keepTurns).map(({ turnId }) => turnId))
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
    const leftovers = replica.openTurns(keepTurns).flatMap(turn => turn.fields())
    return { dropped, firstIndexes, transitions, leftovers }
  }
}

/** What the script `view` is asked about a turn. */
function wantedOf(lookup: TurnLookup): Args {
  const names = namesOf(lookup).map(([, , name]) => name)
  return [lookup.countsFrom ? lastPlacesOf(names.length) : 0, names.length, ...names]
}

/** How many of the last places of a list tell whether the parts with some ids are the last. Old records may have an id twice. */
function lastPlacesOf(names: number): number {
  return 2 * names + 8
}

function namesOf({ parts }: TurnLookup): [list: PartList, id: string, name: string][] {
  return LISTS.flatMap(list => parts[list].map((id): [PartList, string, string] => [list, id, partName(list, id)]))
}

/** The reply of the script `view`, which is read from its beginning to its end. */
class ViewReply {
  readonly head: Head
  readonly turns = new Map<string, FoundTurn>()
  readonly transitions = new Map<string, AgentTransitionRecord>()
  readonly places = new Map<string, string>()
  readonly fields = new Map<string, string>()
  readonly #sessionId: string
  readonly #reply: readonly string[]
  readonly #examined: Examined
  #at = HEAD_LENGTH

  constructor(sessionId: string, reply: readonly string[], examined: Examined) {
    this.#sessionId = sessionId
    this.#reply = reply
    this.#examined = examined
    this.head = decodeHead(sessionId, reply.slice(1, HEAD_LENGTH))
  }

  #next(): string {
    return this.#reply[this.#at++] ?? ''
  }

  addTurn(lookup: TurnLookup): void {
    const { turnId } = lookup
    this.places.set(turnField(turnId), this.#next())
    const [last, text, description, lastCalls, lastItems] = [1, 2, 3, 4, 5].map(() => this.#next())
    const entries = namesOf(lookup).map(([list, id, name]) => ({ list, id, name, text: this.#next() }))
    if (last === '' || text === undefined) return
    const index = Number(last)
    const { token, json } = splitElement(text)
    const head = decodeStoredTurn(this.#sessionId, json, index)
    if (head.turnId !== turnId) throw corruptSession(this.#sessionId, `the id of another turn points to turn ${index}`)
    if (token === '') {
      this.turns.set(turnId, { view: turnViewOf(head, index), token })
      return
    }
    const found = readDescription(description ?? '')
    if (found === null) throw corruptSession(this.#sessionId, 'parts of a turn are missing')
    const parts = new Map<string, readonly EntryOfPart[]>()
    for (const { name, text: entry } of entries) {
      const known = EntryOfPart.readAll(name, entry)
      if (known === null) throw corruptSession(this.#sessionId, `an id of a part of turn ${index} is damaged`)
      parts.set(name, known)
      this.fields.set(nameField(token, name), entry)
    }
    const lastPlaces = { toolCalls: numbers(lastCalls), items: numbers(lastItems) }
    const most = lastPlacesOf(entries.length)
    this.turns.set(turnId, {
      token,
      view: {
        index,
        head,
        partCounts: found.counts,
        bytes: found.bytes,
        findParts: (list, id) => parts.get(partName(list, id)) ?? [],
        countFrom: (list, place) => {
          const after = lastPlaces[list].filter(each => each >= place).length
          // There may be more than were looked up.
          return after === most ? Infinity : after
        },
        whole: () => this.#whole(turnId, token, description ?? ''),
      },
    })
  }

  /** The decision depends on the turn as it was read. */
  #whole(turnId: string, token: string, description: string): TurnRecord {
    const known = this.#examined.turns.get(token)
    if (known?.description !== description) throw new NeedsWholeTurn(turnId, token)
    this.fields.set(token, description)
    return known.turn
  }

  addTransition(id: string): void {
    const [known, text] = [this.#next(), this.#next()]
    this.places.set(transitionField(id), known)
    if (known !== '') this.transitions.set(id, decodeStoredTransition(this.#sessionId, text, Number(known)))
  }

  remembered(): RememberedChange | undefined {
    const text = this.#next()
    return text === '' ? undefined : decodeRememberedText(this.#sessionId, text)
  }
}

function numbers(text: string | undefined): number[] {
  return text === undefined || text === '' ? [] : text.split(' ').map(Number)
}

/** The index in a place: `17`, or `17:4` for a turn that was updated at revision 4. */
function indexOf(place: string): number {
  return Number.parseInt(place, 10)
}

/** The transitions that stay after a rewind. */
export function keptAfter({ rewind, view }: ReadView, keepTurns: number | undefined): AgentTransitionRecord[] {
  return rewind?.transitions.filter(transition => !isDropped(view, transition, keepTurns)) ?? []
}
