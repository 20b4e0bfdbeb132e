import type { AgentTransitionRecord, SessionRecord, SessionSummary, TurnRecord } from '@turnstore/core'
import {
  type ChangePlan,
  isDropped,
  applyTurnPlan,
  idOfPart,
  isRetryOfTurn,
  type Part,
  type PartsPlan,
  type RememberedChange,
  sameTransition,
  type SessionView,
  summaryOf,
  type TurnPlan,
  type TurnView,
  turnViewOf,
} from '@turnstore/core/adapter'
import type { Span } from '../disk/read-file.js'
import type { DocumentOutline } from '../format/document.js'
import type { Entry, PartsChange, TurnChange } from '../format/journal-entry.js'
import { Remembered } from '../format/remembered.js'
import { changeTurn } from './change-turn.js'
import { RecentTurns } from './recent-turns.js'
import { bytesOf, placeOfValue, type RecordSpan, type SessionContent, type TurnPlace } from './turn-places.js'

/**
 * A session in memory without its turns: all other members, and where each turn is on disk. An append needs no
 * more, so it costs the same however long the session is.
 */
export class TurnIndex implements SessionView {
  /** The session without its turns. */
  readonly head: SessionRecord
  readonly remembered: Remembered
  readonly hasBigIntegers: boolean
  readonly places: TurnPlace[]
  #isForeign: boolean
  readonly #lastIndex = new Map<string, number>()
  #hasRepeatedIds = false
  readonly #transitions = new Map<string, AgentTransitionRecord>()
  readonly #recent = new RecentTurns()
  #documentTurns: readonly TurnRecord[] | null
  readonly #readTurn: (place: TurnPlace) => TurnRecord

  /** @param readTurn reads one turn from disk, synchronously, since a decision in progress needs it */
  constructor(outline: DocumentOutline, readTurn: (place: TurnPlace) => TurnRecord) {
    this.head = { ...outline.head, agentTransitions: [] }
    for (const transition of outline.head.agentTransitions) this.#addTransition(transition)
    this.remembered = outline.remembered
    this.hasBigIntegers = outline.hasBigIntegers
    this.#isForeign = outline.isForeign
    this.places = []
    this.#readTurn = readTurn
    this.#documentTurns = outline.hasBigIntegers ? null : outline.turns
    outline.turns.forEach(({ turnId }, item) => {
      this.#addPlace({ turnId, base: { kind: 'document', span: outline.spans?.[item] ?? null, item }, patches: [] })
    })
  }

  get sessionId(): string {
    return this.head.sessionId
  }
  get revision(): number {
    return this.head.revision
  }
  get turnCount(): number {
    return this.places.length
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
    return { ...summaryOf(this.head), turnCount: this.turnCount }
  }

  /** The reference wrote the document, and no compaction has rewritten it since. */
  get isForeign(): boolean {
    return this.#isForeign
  }

  /** The reference drops the parent when it rewrites a document. */
  restoreParent(parentSessionId: string | null): void {
    if (this.#isForeign) this.head.parentSessionId ??= parentSessionId
  }

  findTurn(turnId: string, before: number): TurnView | undefined {
    const index = this.lastIndexOf(turnId, before)
    return index === -1 ? undefined : turnViewOf(this.#turnAt(index), index)
  }

  findRemembered(key: string): RememberedChange | undefined {
    return this.remembered.find(key)
  }

  /** What a plan does to a turn, as the journal has it. */
  changeOf({ index, turnId, head, toolCalls, items }: TurnPlan): TurnChange {
    const turn = this.#turnAt(index)
    return { turnId, head, toolCalls: partsChange(turn.toolCalls, toolCalls), items: partsChange(turn.items, items) }
  }

  lastIndexOf(turnId: string, before: number = this.turnCount): number {
    const index = this.#lastIndex.get(turnId) ?? -1
    if (index < before || !this.#hasRepeatedIds) return index < before ? index : -1
    return this.places.findLastIndex((place, at) => at < before && place.turnId === turnId)
  }

  firstIndexOfTurn(turnId: string): number {
    return this.#hasRepeatedIds
      ? this.places.findIndex(place => place.turnId === turnId)
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
  apply(entry: Entry, revision: number, span: RecordSpan): void {
    if (entry.remember !== undefined) this.remembered.add(entry.remember)
    for (const update of entry.updateTurns) this.#applyUpdate(update, span)
    entry.appendTurns.forEach((turn, item) => {
      const known = this.#isForeign ? this.lastIndexOf(turn.turnId) : -1
      if (known !== -1 && isRetryOfTurn(this.#turnAt(known), turn)) return
      this.#addPlace({ turnId: turn.turnId, base: { kind: 'record', span, item }, patches: [] })
      this.#recent.set(this.turnCount - 1, turn, span.length)
    })
    for (const transition of entry.appendAgentTransitions) {
      if (this.#isForeign && this.head.agentTransitions.some(known => isSame(known, transition))) continue
      this.#addTransition(transition)
    }
    this.#applyHead(entry, revision)
  }

  #applyUpdate(update: TurnChange, span: RecordSpan): void {
    const index = this.lastIndexOf(update.turnId)
    const place = this.places[index]
    if (place === undefined) {
      if (this.#isForeign) return
      throw new Error('an update of a turn that does not exist')
    }
    this.places[index] = { ...place, patches: [...place.patches, span] }
    const known = this.#recent.get(index)
    if (known !== undefined) this.#recent.set(index, changeTurn(known.turn, update), known.bytes + span.length)
  }

  #turnAt(index: number): TurnRecord {
    const known = this.#recent.get(index)
    if (known !== undefined) return known.turn
    const place = this.places[index]
    if (place === undefined) throw new RangeError('no turn at this index')
    const turn = this.#readTurn(place)
    this.#recent.set(index, turn, bytesOf(place))
    return turn
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

  /** The turns in this range, if all are in memory. The caller must copy them before giving them out. */
  recentTurns(first: number, end: number): TurnRecord[] | null {
    // A caller gets numbers, not big integers.
    if (!this.#recent.fits(end - first) || this.hasBigIntegers) return null
    const turns: TurnRecord[] = []
    for (let index = first; index < end; index++) {
      const known = this.#recent.get(index)
      if (known === undefined) return null
      turns.push(known.turn)
    }
    return turns
  }

  /** Keeps turns that were read, unless the index changed since. */
  rememberTurns(first: number, places: readonly TurnPlace[], turns: readonly TurnRecord[]): void {
    if (!this.#recent.fits(turns.length) || this.hasBigIntegers) return
    turns.forEach((turn, at) => {
      const place = places[at]
      if (place !== undefined && this.places[first + at] === place) this.#recent.set(first + at, turn, bytesOf(place))
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
  applyPlan(plan: ChangePlan): void {
    const { head } = this
    if (plan.remember !== undefined) this.remembered.add({ number: this.remembered.count + 1, change: plan.remember })
    if (!plan.changed) return
    const transitions = head.agentTransitions.filter(transition => !isDropped(this, transition, plan.keepTurns))
    head.agentTransitions = []
    this.#transitions.clear()
    for (const transition of transitions.concat(plan.appendAgentTransitions)) this.#addTransition(transition)
    const updated = plan.updateTurns.map(update => ({
      index: update.index,
      turn: applyTurnPlan(this.#turnAt(update.index), update),
    }))
    const places = this.places.splice(0).slice(0, plan.keepTurns)
    this.#lastIndex.clear()
    this.#recent.clear()
    this.#hasRepeatedIds = false
    for (const { index, turn } of updated) places[index] = placeOfValue(turn)
    for (const place of places.concat(plan.appendTurns.map(placeOfValue))) this.#addPlace(place)
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
      places: [...this.places],
    }
  }

  /** Switches to the spans of a document that these contents were written to. Later changes stay in the journal. */
  rebase(written: SessionContent, spans: readonly Span[]): void {
    spans.forEach((span, item) => {
      const place = this.places[item]
      const compacted = written.places[item]?.patches.length ?? 0
      if (place === undefined) return
      this.places[item] = {
        turnId: place.turnId,
        base: { kind: 'document', span, item },
        patches: place.patches.slice(compacted),
      }
    })
    this.#isForeign = false
  }

  #addPlace(place: TurnPlace): void {
    if (this.#lastIndex.has(place.turnId)) this.#hasRepeatedIds = true
    this.#lastIndex.set(place.turnId, this.places.length)
    this.places.push(place)
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

function partsChange<P extends Part>(parts: readonly P[], { removed, replaced, added }: PartsPlan<P>): PartsChange<P> {
  const idAt = (place: number): string[] => parts.slice(place, place + 1).map(idOfPart)
  return { remove: removed.flatMap(({ place }) => idAt(place)), put: [...replaced, ...added].map(({ part }) => part) }
}
