import type { AgentTransitionRecord, TurnHeadRecord, TurnRecord } from '@turnstore/core'
import { headOf, idOfPart } from '@turnstore/core/adapter'
import { LISTS, readName } from '../format/part-names.js'
import { decodeHead, type Head, HEAD_LENGTH } from '../format/session-head.js'
import { decodeStoredTransition, decodeStoredTurn, decodeStoredTurns } from '../format/stored-records.js'
import { readDescription, splitElement } from '../format/stored-turn.js'
import { corruptSession } from '../server/redis-errors.js'
import { OpenTurn } from './open-turn.js'

/** Which turns and transitions to read. */
export interface Ranges {
  readonly turns: readonly [kind: 'last' | 'from' | 'id', start: string | number, end: number]
  readonly transitions: readonly [first: number, most: number]
  /** Whether open turns are read with their parts. */
  readonly what: 'parts' | 'heads'
}

/** Where the next script goes on. */
interface Cursor {
  readonly index: number
  readonly list: string
  readonly place: string
}

/** What a reply of the script `read` says before its texts. */
export class ReadReply {
  readonly head: Head
  readonly first: number
  readonly end: number
  readonly next: Cursor
  readonly idCount: number
  readonly fieldCount: number
  readonly turns: readonly string[]
  readonly transitions: readonly string[]
  readonly values: readonly string[]

  constructor(sessionId: string, reply: readonly string[]) {
    this.head = decodeHead(sessionId, reply.slice(1, HEAD_LENGTH))
    const [first, end, index, list = '', place = '', ids, fields, turns, transitions] = reply.slice(
      HEAD_LENGTH,
      HEAD_LENGTH + 9,
    )
    this.first = Number(first)
    this.end = Number(end)
    this.next = { index: Number(index), list, place }
    this.idCount = Number(ids)
    this.fieldCount = Number(fields)
    const from = HEAD_LENGTH + 9
    const transitionsFrom = from + Number(turns)
    const valuesFrom = transitionsFrom + Number(transitions)
    this.turns = reply.slice(from, transitionsFrom)
    this.transitions = reply.slice(transitionsFrom, valuesFrom)
    this.values = reply.slice(valuesFrom)
  }
}

/**
 * A session, or ranges of it, while it is read by several scripts. Each reply brings what was read before up to its own
 * moment, so all that was read is of one moment, and other writers never make it start again, except by a rewind or a save.
 */
export class SessionReplica {
  readonly #sessionId: string
  readonly #ranges: Ranges
  #last: ReadReply | null = null
  #firstIndex = 0
  readonly #turns: (TurnRecord | OpenTurn)[] = []
  readonly #open = new Map<string, OpenTurn>()
  readonly transitions: AgentTransitionRecord[] = []

  constructor(sessionId: string, ranges: Ranges) {
    this.#sessionId = sessionId
    this.#ranges = ranges
  }

  /** The arguments of the script for what is still to be read, after the scope and before the limit. */
  request(next: ReadReply | null = this.#last): (string | number)[] {
    const { turns, transitions, what } = this.#ranges
    const [first, most] = transitions
    if (next === null) return [...turns, '', '', what, first, most, '']
    const { index, list, place } = next.next
    const end = turns[0] === 'id' ? next.end : turns[0] === 'last' ? Number.MAX_SAFE_INTEGER : turns[2]
    const read = next === this.#last ? 0 : next.transitions.length
    const from = first + this.transitions.length + read
    return ['from', index, end, list, place, what, from, most - (from - first), next.head.state.logged]
  }

  /** Reads the beginning of a reply. Null if turns got new places since the last one. */
  readReply(reply: readonly string[]): ReadReply | null {
    const read = new ReadReply(this.#sessionId, reply)
    return this.#last !== null && this.#last.head.state.generation !== read.head.state.generation ? null : read
  }

  /** Whether nothing is left to be read after a reply. */
  isComplete(read: ReadReply): boolean {
    const [first, most] = this.#ranges.transitions
    const transitions = this.transitions.length + (read === this.#last ? 0 : read.transitions.length)
    return (
      read.next.index >= read.end && transitions >= Math.min(most, Math.max(0, read.head.state.transitionCount - first))
    )
  }

  /** @throws `CORRUPT_SESSION` */
  add(read: ReadReply): void {
    if (this.#last === null) this.#firstIndex = read.first
    this.#last = read
    this.#addTurns(read.turns)
    for (let at = 0; at < read.values.length; at += 2) {
      this.#set(read.values[at] ?? '', read.values[at + 1] ?? '')
    }
    const first = this.#ranges.transitions[0] + this.transitions.length
    for (const [index, text] of read.transitions.entries()) {
      this.transitions.push(decodeStoredTransition(this.#sessionId, text, first + index))
    }
  }

  #addTurns(texts: readonly string[]): void {
    const from = this.#firstIndex + this.#turns.length
    if (texts.every(text => text.startsWith('{'))) {
      for (const turn of decodeStoredTurns(this.#sessionId, texts, from)) this.#turns.push(turn)
      return
    }
    for (const [index, text] of texts.entries()) this.#turns.push(this.#decode(text, from + index))
  }

  #decode(text: string, index: number): TurnRecord | OpenTurn {
    const { token, json } = splitElement(text)
    const turn = decodeStoredTurn(this.#sessionId, json, index)
    if (token === '') return turn
    const known = this.#open.get(token)
    if (known !== undefined) {
      known.head = turn
      return known
    }
    const open = new OpenTurn(this.#sessionId, token, turn)
    this.#open.set(token, open)
    return open
  }

  #set(name: string, text: string): void {
    const changed = readName(name)
    if (changed.kind === 'turn') {
      const at = changed.index - this.#firstIndex
      // Other turns are not read, or not yet.
      if (at >= 0 && at < this.#turns.length) this.#turns[at] = this.#decode(text, changed.index)
    } else if (changed.kind === 'description') {
      const open = this.#open.get(changed.token)
      if (open !== undefined) open.description = text
    } else if (changed.kind === 'part') {
      this.#open.get(changed.token)?.parts.set(changed.list, changed.place, text)
    }
  }

  get head(): Head {
    if (this.#last === null) throw new TypeError('nothing was read')
    return this.#last.head
  }

  get #skipped(): number {
    const [kind, count] = this.#ranges.turns
    // Turns that were appended meanwhile are the last ones now.
    return kind === 'last' ? Math.max(0, this.#turns.length - Number(count)) : 0
  }

  get firstIndex(): number {
    return this.#firstIndex + this.#skipped
  }

  /** @throws `CORRUPT_SESSION` */
  turns(): TurnRecord[] {
    return this.#turns.slice(this.#skipped).map(turn => (turn instanceof OpenTurn ? turn.whole() : turn))
  }

  /** @throws `CORRUPT_SESSION` */
  heads(): TurnHeadRecord[] {
    return this.#turns.slice(this.#skipped).map(turn => {
      if (!(turn instanceof OpenTurn)) return headOf(turn)
      const description = readDescription(turn.description)
      if (description === null) throw corruptSession(this.#sessionId, 'parts of a turn are missing')
      return { ...headOf(turn.head), partCounts: description.counts }
    })
  }

  /** The open turns among those from an index on. */
  openTurns(from = 0): OpenTurn[] {
    return this.#turns.slice(Math.max(0, from - this.#firstIndex)).filter(turn => turn instanceof OpenTurn)
  }

  /**
   * For a session that was read completely: checks the ids of turns and parts.
   * @throws `CORRUPT_SESSION`
   */
  checkIds(): void {
    const read = this.#last
    if (read === null) return
    // The ids, not their fields: making the fields would add a fifth to the time of a load.
    const [turnIds, transitionIds] = [new Set<string>(), new Set<string>()]
    for (const turn of this.#turns) turnIds.add(turn instanceof OpenTurn ? turn.head.turnId : turn.turnId)
    for (const { transitionId } of this.transitions) if (transitionId !== null) transitionIds.add(transitionId)
    if (turnIds.size + transitionIds.size !== read.idCount) {
      throw corruptSession(this.#sessionId, 'ids of turns are missing or too many')
    }
    let fields = Math.min(read.head.state.logged, LOG)
    for (const turn of this.openTurns()) {
      fields++
      for (const list of LISTS) {
        const parts = turn.parts.list(list)
        fields += parts.length + new Set(parts.map(([, part]) => idOfPart(part))).size
      }
    }
    // There may be more: what is left of turns that were dropped.
    if (read.fieldCount < fields) throw corruptSession(this.#sessionId, 'ids of parts are missing')
  }
}

/** How many entries the log of changes has. */
const LOG = 256
