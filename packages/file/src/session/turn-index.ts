import type {
  AgentTransitionRecord,
  LastTurn,
  SessionRecord,
  SessionSummary,
  TurnHead,
  TurnRecord,
} from '@turnstore/core'
import {
  cloneTurn,
  IdPlaces,
  isRetryOfTurn,
  lastTurnOf,
  keptTransitions,
  type RememberedChange,
  sameTransition,
  type SessionView,
  summaryOf,
  turnBytes,
  type TurnPlan,
  type TurnView,
  turnViewOf,
} from '@turnstore/core/adapter'
import type { DocumentOutline } from '../format/document.js'
import { SMALL_TURN_BYTES, type TurnSpans } from '../format/document-turn.js'
import type { Entry, EntrySpans, TurnChange } from '../format/journal-entry.js'
import type { Remembered } from '../format/remembered.js'
import type { HeadToRead, SyncReader } from './assemble-turns.js'
import { type ChangedPlaces, OpenTurn, type PiecePlaces } from './open-turn.js'
import { OpenTurnView } from './open-turn-view.js'
import {
  bytesOf,
  type HeadPlace,
  type JournalFile,
  type Place,
  placesOfHead,
  placesOfParts,
  type RecordSpan,
  type SessionContent,
  type TurnPlace,
  type WholeTurn,
  type WrittenTurn,
} from './turn-places.js'

/** How many turns are kept in memory: the newest, which most readers ask for, and what was read last. */
const RECENT = 32

/** A longer turn is not. */
const RECENT_BYTES = 32 * 1024

/** Where an entry is: the record, and what is in it. */
export interface EntryPlace {
  readonly journal: JournalFile
  readonly offset: number
  readonly spans: EntrySpans
}

/**
 * A session in memory without its turns: all other members, and where each turn is on disk. An append needs no
 * more, so it costs the same however long the session is.
 */
export class TurnIndex implements SessionView {
  /** The session without its turns. */
  readonly head: SessionRecord
  readonly remembered: Remembered
  readonly hasBigIntegers: boolean
  readonly #turns: (WholeTurn | OpenTurn)[] = []
  readonly #ids = new IdPlaces()
  readonly #transitions = new Map<string, AgentTransitionRecord>()
  readonly #recent = new Map<TurnPlace, TurnRecord>()
  /** The head of an open turn that was used last. */
  #lastHead: { readonly place: HeadPlace; readonly head: TurnHead } | null = null
  #isForeign: boolean
  #documentTurns: (TurnRecord | undefined)[] | null
  readonly #reader: SyncReader
  /** What a summary tells of the last turn. Undefined if it has to be read. */
  #lastKnown: LastTurn | null | undefined
  /** The turns, and the parts of open turns. */
  #size = 0

  /** @param reader reads what a decision in progress needs */
  constructor(outline: DocumentOutline, reader: SyncReader) {
    this.head = { ...outline.head, agentTransitions: [] }
    for (const transition of outline.head.agentTransitions) this.#addTransition(transition)
    this.remembered = outline.remembered
    this.hasBigIntegers = outline.hasBigIntegers
    this.#isForeign = outline.isForeign
    this.#reader = reader
    this.#documentTurns = outline.spans === null || outline.hasBigIntegers ? null : [...outline.turns]
    const last = outline.turns.at(-1)
    this.#lastKnown = last === undefined ? null : lastTurnOf(last)
    outline.turns.forEach((turn, index) => {
      const { turnId } = turn
      const span = outline.spans?.[index]
      const pieces = outline.pieces.get(index)
      if (span === undefined) this.#add({ turnId, turn })
      else if (pieces === undefined) this.#add({ turnId, span })
      else {
        const places = piecePlaces(pieces, ({ offset, length }) => ({ offset: span.offset + offset, length }))
        this.#add(new OpenTurn(turn, places, atMostIn(span.length, turn)))
      }
    })
  }

  get sessionId(): string {
    return this.head.sessionId
  }
  get revision(): number {
    return this.head.revision
  }
  get turnCount(): number {
    return this.#turns.length
  }
  get agentId(): string | null {
    return this.head.agentId
  }
  get updatedAt(): string {
    return this.head.updatedAt
  }
  get metadata(): SessionRecord['metadata'] {
    return this.head.metadata
  }

  get summary(): SessionSummary {
    return { ...summaryOf(this.head), turnCount: this.turnCount, lastTurn: this.#lastTurn() }
  }

  /** The reference wrote the document, and no compaction has rewritten it since. */
  get isForeign(): boolean {
    return this.#isForeign
  }

  /** The reference drops the parent when it rewrites a document. */
  restoreParent(parentSessionId: string | null): void {
    if (this.#isForeign) this.head.parentSessionId ??= parentSessionId
  }

  /** How much it has in memory: turns, and parts of turns. */
  get size(): number {
    return this.#size
  }

  findTurn(turnId: string, before: number): TurnView | undefined {
    const index = this.lastIndexOf(turnId, before)
    const turn = this.#turns[index]
    if (turn === undefined) return undefined
    if (!(turn instanceof OpenTurn)) return turnViewOf(this.#turnAt(index), index)
    return new OpenTurnView(index, turn, () => this.#headOf(turn), this.#reader)
  }

  /** Where a turn is. */
  turnAt(index: number): WholeTurn | OpenTurn | undefined {
    return this.#turns[index]
  }

  findRemembered(key: string): RememberedChange | undefined {
    return this.remembered.find(key)
  }

  /** What a plan does to a turn, as the journal has it. Opens the turn. */
  changeOf(plan: TurnPlan): TurnChange {
    return this.#open(plan.index).changeOf(plan)
  }

  lastIndexOf(turnId: string, before?: number): number {
    return this.#ids.last(turnId, before)
  }

  firstIndexOfTurn(turnId: string): number {
    return this.#ids.first(turnId)
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    return this.#transitions.get(transitionId)
  }

  /**
   * Applies one change.
   *
   * If the reference rewrote the document without knowing the journal, turns are applied by id: a turn that is
   * there with the same content is not added again, and all other turns of both sides are kept.
   * @param place in a journal, or null if a new document is about to be written. Until then, it is in memory
   * @throws Error if the change is of a turn that does not exist
   */
  apply(entry: Entry, revision: number, place: EntryPlace | null): void {
    const { head } = this
    if (entry.remember !== undefined) this.remembered.add(entry.remember)
    entry.updateTurns.forEach((change, item) => this.#update(change, changedPlaces(change, place, item)))
    entry.appendTurns.forEach((turn, item) => this.#append(turn, place, item))
    for (const transition of entry.appendAgentTransitions) {
      if (this.#isForeign && head.agentTransitions.some(known => isSame(known, transition))) continue
      this.#addTransition(transition)
    }
    const { setMetadata, unsetMetadata } = entry
    if (unsetMetadata.length > 0 || Object.keys(setMetadata).length > 0) {
      const unset = new Set(unsetMetadata)
      head.metadata = Object.fromEntries(
        Object.entries({ ...head.metadata, ...setMetadata }).filter(([key]) => !unset.has(key)),
      )
    }
    if (entry.agentId !== undefined) head.agentId = entry.agentId
    head.updatedAt = entry.updatedAt
    head.revision = revision
  }

  #append(turn: TurnRecord, place: EntryPlace | null, item: number): void {
    const { turnId } = turn
    const known = this.#isForeign ? this.lastIndexOf(turnId) : -1
    if (known !== -1 && isRetryOfTurn(this.#turnAt(known), turn)) return
    this.#lastKnown = lastTurnOf(turn)
    const spans = place?.spans.appendTurns[item]
    if (place === null || spans === undefined) {
      this.#add({ turnId, turn })
    } else if (spans.pieces !== null) {
      this.#add(new OpenTurn(turn, piecePlaces(spans.pieces, inRecord(place)), spans.whole.length))
    } else {
      const added = { turnId, span: inRecord(place)(spans.whole) }
      this.#add(added)
      this.#remember(added, turn)
    }
  }

  #update(change: TurnChange, places: ChangedPlaces): void {
    const index = this.lastIndexOf(change.turnId)
    if (index === -1) {
      if (this.#isForeign) return
      throw new Error('an update of a turn that does not exist')
    }
    const turn = this.#open(index)
    turn.apply(change, places)
    this.#size += change.toolCalls.put.length + change.items.put.length
    if (this.#documentTurns !== null) this.#documentTurns[index] = undefined
    if (change.head === undefined) return
    this.#lastHead = { place: turn.head, head: change.head }
    if (index === this.turnCount - 1) this.#lastKnown = lastTurnOf(change.head)
  }

  /** Drops the turns from an index on, and the agent transitions that were recorded in them. */
  rewind(keepTurns: number): void {
    const { head } = this
    const kept = keptTransitions(this, head.agentTransitions, { keepTurns })
    head.agentTransitions = []
    this.#transitions.clear()
    for (const transition of kept) this.#addTransition(transition)
    this.#turns.length = keepTurns
    this.#lastKnown = undefined
    this.#ids.truncate(keepTurns)
  }

  /**
   * Gives the pieces of a turn places of their own, in memory until a compaction has written them. The turn is small, or
   * all of it is its head.
   */
  #open(index: number): OpenTurn {
    const place = this.#turns[index]
    if (place === undefined) throw new RangeError('no turn at this index')
    if (place instanceof OpenTurn) return place
    const turn = this.#turnAt(index)
    const { toolCalls, items, ...head } = turn
    const open = new OpenTurn(turn, { head: { head }, toolCalls: [], items: [] }, turnBytes(turn))
    this.#size += toolCalls.length + items.length
    this.#turns[index] = open
    return open
  }

  #turnAt(index: number): TurnRecord {
    const [place] = this.placesIn(index, index + 1)
    if (place === undefined) throw new RangeError('no turn at this index')
    const known = this.#recent.get(place)
    if (known !== undefined) return known
    const read = this.#documentTurns?.[index]
    const turn = read === undefined ? this.#reader.turn(place) : cloneTurn(read)
    this.#remember(place, turn)
    return turn
  }

  #lastTurn(): LastTurn | null {
    if (this.#lastKnown === undefined) {
      const index = this.turnCount - 1
      const last = this.#turns[index]
      const head = last instanceof OpenTurn ? this.#headOf(last) : last && this.#turnAt(index)
      this.#lastKnown = head === undefined ? null : lastTurnOf(head)
    }
    return this.#lastKnown
  }

  #headOf({ head: place }: OpenTurn): TurnHead {
    if ('head' in place) return place.head
    if (this.#lastHead?.place !== place) this.#lastHead = { place, head: this.#reader.head(place) }
    return this.#lastHead.head
  }

  /**
   * The turns of the document, which were read to find their places. Returned once, and only useful right after
   * the document was read; the index does not keep them.
   */
  takeDocumentTurns(): readonly (TurnRecord | undefined)[] {
    const turns = this.#documentTurns ?? []
    this.#documentTurns = null
    return turns
  }

  /** The places of the turns in this range. */
  placesIn(first: number, end: number): TurnPlace[] {
    return this.#turns.slice(first, end).map(turn => (turn instanceof OpenTurn ? turn.pieces() : turn))
  }

  /** Those of their heads, and how many parts they have. */
  headsIn(first: number, end: number): HeadToRead[] {
    return this.#turns
      .slice(first, end)
      .map(turn => (turn instanceof OpenTurn ? { head: turn.head, partCounts: turn.partCounts } : turn))
  }

  /** The turns at these places, if all are in memory. The caller must copy them before giving them out. */
  recentTurns(places: readonly TurnPlace[]): TurnRecord[] | null {
    // A caller gets numbers, not big integers.
    if (places.length > RECENT || this.hasBigIntegers) return null
    const turns = places.map(place => this.#recent.get(place)).filter(turn => turn !== undefined)
    return turns.length === places.length ? turns : null
  }

  /** Keeps turns that were read. */
  rememberTurns(places: readonly TurnPlace[], turns: readonly TurnRecord[]): void {
    if (places.length > RECENT || this.hasBigIntegers) return
    places.forEach((place, at) => {
      const turn = turns[at]
      if (turn !== undefined) this.#remember(place, turn)
    })
  }

  #remember(place: TurnPlace, turn: TurnRecord): void {
    if (!('span' in place) || place.span.length > RECENT_BYTES) return
    this.#recent.set(place, turn)
    const [oldest] = this.#recent.keys()
    if (this.#recent.size > RECENT && oldest !== undefined) this.#recent.delete(oldest)
  }

  /** A copy. */
  content(): SessionContent {
    return {
      head: { ...this.head, agentTransitions: [...this.head.agentTransitions] },
      remembered: this.remembered.copy(),
      places: this.placesIn(0, this.turnCount),
    }
  }

  /** Switches to a document that these contents were written to. Later changes stay in the journal. */
  rebase({ places }: SessionContent, written: readonly WrittenTurn[]): void {
    written.forEach(({ span, pieces }, index) => {
      const turn = this.#turns[index]
      const place = places[index]
      if (turn === undefined || place === undefined) return
      const { turnId } = turn
      if (!(turn instanceof OpenTurn)) {
        this.#turns[index] = { turnId, span }
      } else if ('head' in place && pieces !== null) {
        if (span.length <= SMALL_TURN_BYTES && turn.isStill(place)) this.#turns[index] = { turnId, span }
        else turn.move(place, pieces)
      }
    })
    this.#isForeign = false
  }

  #add(turn: WholeTurn | OpenTurn): void {
    this.#ids.push(turn.turnId)
    this.#turns.push(turn)
    this.#size += turn instanceof OpenTurn ? 1 + turn.toolCalls.count + turn.items.count : 1
  }

  /** If a file of the reference repeats an id, the first transition counts. */
  #addTransition(transition: AgentTransitionRecord): void {
    const { transitionId } = transition
    if (transitionId !== null && !this.#transitions.has(transitionId)) this.#transitions.set(transitionId, transition)
    this.head.agentTransitions.push(transition)
  }
}

function isSame(a: AgentTransitionRecord, b: AgentTransitionRecord): boolean {
  return a.timestamp === b.timestamp && sameTransition(a, b)
}

function inRecord({ journal, offset }: EntryPlace): (span: Place) => RecordSpan {
  return span => ({ journal, offset: offset + span.offset, length: span.length })
}

/** Where what a change puts is. */
function changedPlaces({ head }: TurnChange, place: EntryPlace | null, item: number): ChangedPlaces {
  const spans = place?.spans.updateTurns[item]
  if (place === null || spans === undefined) {
    return { head: head === undefined ? null : { head }, toolCalls: [], items: [], bytes: Infinity }
  }
  const pieces = piecePlaces(spans, inRecord(place))
  const all = [...placesOfHead(pieces.head), ...placesOfParts(pieces.toolCalls), ...placesOfParts(pieces.items)]
  return { ...pieces, head: head === undefined ? null : pieces.head, bytes: bytesOf(all) }
}

function piecePlaces({ head, toolCalls, items }: TurnSpans, at: (span: Place) => Place): PiecePlaces {
  return { head: { places: head.map(at) }, toolCalls: toolCalls.map(at), items: items.map(at) }
}

/** More than a turn has that has so many bytes in a file: other programs write numbers shorter, and leave members out. */
function atMostIn(bytes: number, { toolCalls, items }: TurnRecord): number {
  return 4 * bytes + 512 * (1 + toolCalls.length + items.length)
}
