import type {
  AgentTransitionRecord,
  LastTurn,
  SessionRecord,
  SessionSummary,
  TurnHead,
  TurnRecord,
} from '@turnstore/core'
import {
  type ChangePlan,
  cloneTurn,
  isDropped,
  isRetryOfTurn,
  lastTurnOf,
  type Part,
  type RememberedChange,
  sameTransition,
  type SessionView,
  summaryOf,
  turnBytes,
  type TurnPlan,
  type TurnView,
  turnViewOf,
} from '@turnstore/core/adapter'
import { type DocumentOutline, SMALL_TURN_BYTES } from '../format/document.js'
import { piecesOfText, type TurnSpans } from '../format/document-turn.js'
import { type Entry, type EntrySpans, type PartsChange, spansOfTurn, type TurnChange } from '../format/journal-entry.js'
import type { Remembered } from '../format/remembered.js'
import type { HeadToRead, SyncReader } from './assemble-turns.js'
import { type ChangedPlaces, OpenTurn, type PiecePlaces } from './open-turn.js'
import { OpenTurnView } from './open-turn-view.js'
import { Recent } from './recent.js'
import {
  bytesOf,
  type JournalFile,
  type Place,
  placeOfValue,
  placesIn,
  placesOfHead,
  placesOfParts,
  type RecordSpan,
  type SessionContent,
  type TurnPlace,
  type WholeTurn,
  type WrittenTurn,
} from './turn-places.js'

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
  #isForeign: boolean
  readonly #lastIndex = new Map<string, number>()
  #hasRepeatedIds = false
  readonly #transitions = new Map<string, AgentTransitionRecord>()
  readonly #recent = new Recent<TurnRecord>()
  /** Of open turns. */
  readonly #recentHeads = new Recent<TurnHead>()
  #documentTurns: readonly TurnRecord[] | null
  /** Undefined if it has to be read. */
  #lastKnown: LastTurn | null | undefined
  readonly #reader: SyncReader
  /** The turns, and the parts of open turns. */
  #size = 0
  /**
   * While a compaction runs, the pieces of a turn that is opened are kept in memory: the compaction writes that turn in
   * one piece. It is small, or all of it is its head.
   */
  isCompacting = false

  /** @param reader reads what a decision in progress needs */
  constructor(outline: DocumentOutline, reader: SyncReader) {
    this.head = { ...outline.head, agentTransitions: [] }
    for (const transition of outline.head.agentTransitions) this.#addTransition(transition)
    this.remembered = outline.remembered
    this.hasBigIntegers = outline.hasBigIntegers
    this.#isForeign = outline.isForeign
    this.#reader = reader
    this.#documentTurns = outline.hasBigIntegers ? null : outline.turns
    const last = outline.turns.at(-1)
    this.#lastKnown = last === undefined ? null : lastTurnOf(last)
    outline.turns.forEach((turn, item) => {
      const span = outline.spans?.[item] ?? null
      const pieces = outline.pieces.get(item)
      if (span === null || pieces === undefined) {
        this.#add({ turnId: turn.turnId, base: { kind: 'document', span, item } })
      } else {
        const places = piecePlaces(pieces, ({ offset, length }) => ({ offset: span.offset + offset, length }))
        this.#add(new OpenTurn(turn, places, atMostIn(span.length, turn), item))
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
    return new OpenTurnView(index, turn, () => this.#headOf(index, turn), this.#reader)
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
    const turn = this.#open(plan.index)
    return turn.changeOf(plan)
  }

  lastIndexOf(turnId: string, before: number = this.turnCount): number {
    const index = this.#lastIndex.get(turnId) ?? -1
    if (index < before || !this.#hasRepeatedIds) return index < before ? index : -1
    return this.#turns.findLastIndex((turn, at) => at < before && turn.turnId === turnId)
  }

  firstIndexOfTurn(turnId: string): number {
    return this.#hasRepeatedIds
      ? this.#turns.findIndex(turn => turn.turnId === turnId)
      : (this.#lastIndex.get(turnId) ?? -1)
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    return this.#transitions.get(transitionId)
  }

  /**
   * Applies one change from a journal.
   *
   * If the reference rewrote the document without knowing the journal, turns are applied by id: a turn that is
   * there with the same content is not added again, and all other turns of both sides are kept.
   * @throws Error if the change is of a turn that does not exist
   */
  apply(entry: Entry, revision: number, spans: EntrySpans, record: { journal: JournalFile; offset: number }): void {
    const at = ({ offset, length }: Place): RecordSpan => ({
      journal: record.journal,
      offset: record.offset + offset,
      length,
    })
    if (entry.remember !== undefined) this.remembered.add(entry.remember)
    entry.updateTurns.forEach((change, item) => {
      const { head, toolCalls, items } = piecePlaces(spans.updateTurns[item] ?? NO_SPANS, at)
      const bytes = bytesOf([...placesOfHead(head), ...placesOfParts(toolCalls), ...placesOfParts(items)])
      this.#update(change, { head: change.head === undefined ? null : head, toolCalls, items, bytes })
    })
    entry.appendTurns.forEach((turn, item) => {
      const known = this.#isForeign ? this.lastIndexOf(turn.turnId) : -1
      if (known !== -1 && isRetryOfTurn(this.#turnAt(known), turn)) return
      const pieces = spans.appendTurns[item]
      if (pieces === undefined) return
      const { length } = pieces.whole
      this.#lastKnown = lastTurnOf(turn)
      if (length > SMALL_TURN_BYTES && turn.toolCalls.length + turn.items.length > 0) {
        this.#add(new OpenTurn(turn, piecePlaces(pieces, at), length, null))
        return
      }
      this.#add({ turnId: turn.turnId, base: { kind: 'record', span: at(pieces.whole) } })
      this.#recent.set(this.turnCount - 1, turn, length)
    })
    for (const transition of entry.appendAgentTransitions) {
      if (this.#isForeign && this.head.agentTransitions.some(known => isSame(known, transition))) continue
      this.#addTransition(transition)
    }
    this.#applyHead(entry, revision)
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
    this.#recent.delete(index)
    if (change.head === undefined) return
    this.#recentHeads.set(index, change.head, bytesOf(placesOfHead(turn.head)))
    if (index === this.turnCount - 1) this.#lastKnown = lastTurnOf(change.head)
  }

  /** Finds the pieces of a turn that is in one piece. */
  #open(index: number): OpenTurn {
    const place = this.#turns[index]
    if (place === undefined) throw new RangeError('no turn at this index')
    if (place instanceof OpenTurn) return place
    const turn = this.#turnAt(index)
    const { base } = place
    const item = base.kind === 'document' ? base.item : null
    const pieces = this.#piecesOf(place, turn)
    const open =
      pieces === null
        ? new OpenTurn(turn, { head: { head: headIn(turn) }, toolCalls: [], items: [] }, turnBytes(turn), item)
        : new OpenTurn(turn, pieces, atMostIn(bytesOf(placesIn(place)), turn), item)
    this.#size += turn.toolCalls.length + turn.items.length
    this.#turns[index] = open
    this.#recentHeads.set(index, headIn(turn), bytesOf(placesIn(place)))
    return open
  }

  /** Null if they are to be kept in memory. */
  #piecesOf({ base }: WholeTurn, turn: TurnRecord): PiecePlaces | null {
    if (this.isCompacting || base.kind === 'value' || base.span === null) return null
    const { span } = base
    const text = this.#reader.bytes(span)
    const pieces = base.kind === 'record' ? spansOfTurn(turn, text) : piecesOfText(text, turn)
    return pieces && piecePlaces(pieces, ({ offset, length }) => ({ ...span, offset: span.offset + offset, length }))
  }

  #turnAt(index: number): TurnRecord {
    const known = this.#recent.get(index)
    if (known !== undefined) return known.value
    const place = this.#placeAt(index)
    const turn = this.#documentTurn(place) ?? this.#reader.turn(place)
    if (!(this.#turns[index] instanceof OpenTurn)) this.#recent.set(index, turn, bytesOf(placesIn(place)))
    return turn
  }

  #placeAt(index: number): TurnPlace {
    const turn = this.#turns[index]
    if (turn === undefined) throw new RangeError('no turn at this index')
    return turn instanceof OpenTurn ? turn.pieces() : turn
  }

  /** The turn as it was read with the document, if it still is at hand. */
  #documentTurn(place: TurnPlace): TurnRecord | undefined {
    if (!('base' in place) || place.base.kind !== 'document') return undefined
    const turn = this.#documentTurns?.[place.base.item]
    return turn && cloneTurn(turn)
  }

  #lastTurn(): LastTurn | null {
    if (this.#lastKnown === undefined) {
      const index = this.turnCount - 1
      const last = this.#turns[index]
      const head = last instanceof OpenTurn ? this.#headOf(index, last) : last && this.#turnAt(index)
      this.#lastKnown = head === undefined ? null : lastTurnOf(head)
    }
    return this.#lastKnown
  }

  #headOf(index: number, turn: OpenTurn): TurnHead {
    const known = this.#recentHeads.get(index)
    if (known !== undefined) return known.value
    const head = this.#reader.head(turn.head)
    this.#recentHeads.set(index, head, bytesOf(placesOfHead(turn.head)))
    return head
  }

  /**
   * The turns of the document, which were read to find their places. Returned once, and only useful right after
   * the document was read; the index does not keep them.
   */
  takeDocumentTurns(): readonly TurnRecord[] | null {
    const turns = this.#documentTurns
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

  /** The turns in this range, if all are in memory. The caller must copy them before giving them out. */
  recentTurns(first: number, end: number): TurnRecord[] | null {
    // A caller gets numbers, not big integers.
    if (!this.#recent.fits(end - first) || this.hasBigIntegers) return null
    const turns: TurnRecord[] = []
    for (let index = first; index < end; index++) {
      const known = this.#recent.get(index)
      if (known === undefined) return null
      turns.push(known.value)
    }
    return turns
  }

  /** Keeps turns that were read in one piece, unless the index changed since. */
  rememberTurns(first: number, places: readonly TurnPlace[], turns: readonly TurnRecord[]): void {
    if (!this.#recent.fits(turns.length) || this.hasBigIntegers) return
    turns.forEach((turn, at) => {
      const place = places[at]
      if (place !== undefined && this.#turns[first + at] === place) {
        this.#recent.set(first + at, turn, bytesOf(placesIn(place)))
      }
    })
  }

  #applyHead(entry: Entry, revision: number): void {
    const { head } = this
    const unset = new Set(entry.unsetMetadata)
    if (unset.size > 0 || Object.keys(entry.setMetadata).length > 0) {
      head.metadata = Object.fromEntries(
        Object.entries({ ...head.metadata, ...entry.setMetadata }).filter(([key]) => !unset.has(key)),
      )
    }
    if (entry.agentId !== undefined) head.agentId = entry.agentId
    head.updatedAt = entry.updatedAt
    head.revision = revision
  }

  /** Applies a plan whose result is about to be written as a new document. Until then, its turns are in memory. */
  applyPlan(plan: ChangePlan, changes: readonly TurnChange[]): void {
    const { head } = this
    if (plan.remember !== undefined) this.remembered.add({ number: this.remembered.count + 1, change: plan.remember })
    if (!plan.changed) return
    const transitions = head.agentTransitions.filter(transition => !isDropped(this, transition, plan.keepTurns))
    head.agentTransitions = []
    this.#transitions.clear()
    for (const transition of transitions.concat(plan.appendAgentTransitions)) this.#addTransition(transition)
    for (const [item, change] of changes.entries()) {
      const { head: newHead = null, toolCalls, items } = change
      // In memory: the document is about to be written.
      const places = { head: newHead && { head: newHead }, toolCalls: valuesOf(toolCalls), items: valuesOf(items) }
      this.#open(plan.updateTurns[item]?.index ?? -1).apply(change, { ...places, bytes: 0 })
    }
    const turns = this.#turns.splice(0).slice(0, plan.keepTurns)
    this.#lastIndex.clear()
    this.#recent.clear()
    this.#recentHeads.clear()
    this.#hasRepeatedIds = false
    this.#lastKnown = undefined
    for (const turn of turns.concat(plan.appendTurns.map(placeOfValue))) this.#add(turn)
    if (plan.metadata !== undefined) head.metadata = plan.metadata
    if (plan.agentId !== undefined) head.agentId = plan.agentId
    head.updatedAt = plan.updatedAt
    head.revision = plan.revision
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
    written.forEach(({ span, pieces }, item) => {
      const turn = this.#turns[item]
      const place = places[item]
      if (turn === undefined || place === undefined) return
      const isSmall = span.length <= SMALL_TURN_BYTES
      if (!(turn instanceof OpenTurn)) {
        this.#turns[item] = { turnId: turn.turnId, base: { kind: 'document', span, item } }
      } else if (!('base' in place) && pieces !== null) {
        if (isSmall && turn.isStill(place))
          this.#turns[item] = { turnId: turn.turnId, base: { kind: 'document', span, item } }
        else turn.move(place, pieces, item)
      }
    })
    this.#isForeign = false
  }

  #add(turn: WholeTurn | OpenTurn): void {
    if (this.#lastIndex.has(turn.turnId)) this.#hasRepeatedIds = true
    this.#lastIndex.set(turn.turnId, this.#turns.length)
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

const NO_SPANS: TurnSpans = { head: [], toolCalls: [], items: [] }

function piecePlaces({ head, toolCalls, items }: TurnSpans, at: (span: Place) => Place): PiecePlaces {
  return { head: { places: head.map(at) }, toolCalls: toolCalls.map(at), items: items.map(at) }
}

function valuesOf<P extends Part>({ put }: PartsChange<P>): { part: P }[] {
  return put.map(part => ({ part }))
}

function headIn({ toolCalls: _calls, items: _items, ...head }: TurnRecord): TurnHead {
  return head
}

/** More than a turn has that has so many bytes in a file: other programs write numbers shorter, and leave members out. */
function atMostIn(bytes: number, { toolCalls, items }: TurnRecord): number {
  return 4 * bytes + 512 * (1 + toolCalls.length + items.length)
}
