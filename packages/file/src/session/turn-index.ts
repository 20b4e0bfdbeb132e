import type { AgentTransitionRecord, SessionRecord, SessionSummary, TurnRecord } from '@turnstore/core'
import {
  type ChangePlan,
  isDropped,
  isRetryOfTurn,
  type NormalTurnUpdate,
  sameTransition,
  type SessionView,
  summaryOf,
  updateTurn,
} from '@turnstore/core/adapter'
import type { DocumentOutline, Span } from '../format/document.js'
import type { Entry, JournalHeader } from '../format/entry.js'

/** A journal as far as it has been read. */
export interface JournalFile {
  /** Device and inode: a journal keeps them when a compaction moves it aside. Once it is removed, another may get them. */
  readonly identity: string
  path: string
  /** Null until one was read. */
  header: JournalHeader | null
  /** Of a session that was deleted since: left behind, never replayed. */
  isStale: boolean
  /** Holds a change that the document lacks: nobody removes it while that document stands, so its inode is its own. */
  isNeeded: boolean
  /** Where the next read goes on. */
  end: number
  /** The front of the last record before `end`, which tells that it is the same journal still. */
  last: { readonly offset: number; readonly front: string } | null
  /** The size when it was read; behind `end` there may be something unfinished. */
  size: number
  torn: boolean
  /** Bytes known to be on the disk. */
  syncedTo: number
}

export function newJournalFile(identity: string, path: string): JournalFile {
  const nothingRead = { header: null, isStale: false, isNeeded: false, end: 0, last: null, size: 0, torn: false }
  return { identity, path, ...nothingRead, syncedTo: 0 }
}

/** The payload of a record in a journal. */
export interface RecordSpan extends Span {
  readonly journal: JournalFile
}

/** Where a turn is to be found: its beginning, and the records that altered it since. */
export interface TurnPlace {
  readonly turnId: string
  readonly base:
    | { readonly kind: 'document'; readonly span: Span | null; readonly item: number }
    | { readonly kind: 'record'; readonly span: RecordSpan; readonly item: number }
    | { readonly kind: 'value'; readonly turn: TurnRecord }
  readonly patches: readonly RecordSpan[]
}

/** A session at one moment. */
export interface Snapshot {
  readonly head: SessionRecord
  readonly places: readonly TurnPlace[]
  readonly document: TurnIndex['document']
  readonly isSliceable: boolean
}

/**
 * A few turns stay in memory: the newest, which grow and are what most readers ask for, and those that
 * a retry asked for. So many, or so many bytes of JSON, but always the last one used.
 */
const RECENT_TURNS = 32
const RECENT_BYTES = 1024 * 1024

/**
 * What is known of a session without holding its turns: everything else of it, and where each turn
 * stands. An append needs no more than this, so it costs the same however long the session is.
 */
export class TurnIndex implements SessionView {
  /** All of the session but its turns. */
  readonly head: SessionRecord
  readonly hasBigIntegers: boolean
  /** False where the document is JSON of another form than the reference writes: no turn can be cut out of it. */
  isSliceable: boolean
  isForeign: boolean
  document: { readonly version: string; readonly bytes: number }
  readonly places: TurnPlace[]
  /** The journal that a compaction has moved aside, and the one that is written. */
  rotated: JournalFile | null = null
  journal: JournalFile | null = null
  readonly #lastIndex = new Map<string, number>()
  #hasRepeatedIds = false
  readonly #transitions = new Map<string, AgentTransitionRecord>()
  readonly #recent = new Map<number, { turn: TurnRecord; bytes: number }>()
  #recentBytes = 0
  #documentTurns: readonly TurnRecord[] | null
  readonly #readTurn: (index: TurnIndex, place: TurnPlace) => TurnRecord

  /** @param readTurn reads one turn from disk, at once: a decision needs it that is under way */
  constructor(
    outline: DocumentOutline,
    document: { readonly version: string; readonly bytes: number },
    readTurn: (index: TurnIndex, place: TurnPlace) => TurnRecord,
  ) {
    this.head = { ...outline.head, agentTransitions: [] }
    for (const transition of outline.head.agentTransitions) this.#addTransition(transition)
    this.hasBigIntegers = outline.hasBigIntegers
    this.isSliceable = outline.spans !== null
    this.isForeign = outline.isForeign
    this.document = document
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

  /** Bytes that the journals hold. */
  get journalBytes(): number {
    return (this.rotated?.end ?? 0) + (this.journal?.end ?? 0)
  }

  findTurn(turnId: string, before: number): { turn: TurnRecord; index: number } | undefined {
    const index = this.lastIndexOf(turnId, before)
    if (index === -1) return undefined
    return { turn: this.#turnAt(index), index }
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
   * Takes over one change from a journal.
   *
   * On a document that somebody rewrote who knew nothing of the journal, turns are applied by id: one
   * that stands there already with the same content is not doubled, and all others are kept, ours and
   * his.
   * @throws Error where the change is of a turn that is not there
   */
  apply(entry: Entry, revision: number, span: RecordSpan): void {
    for (const update of entry.updateTurns) this.#applyUpdate(update, span)
    entry.appendTurns.forEach((turn, item) => {
      const known = this.isForeign ? this.lastIndexOf(turn.turnId) : -1
      if (known !== -1 && isRetryOfTurn(this.#turnAt(known), turn)) return
      this.#addPlace({ turnId: turn.turnId, base: { kind: 'record', span, item }, patches: [] })
      this.#remember(this.turnCount - 1, turn, span.length)
    })
    for (const transition of entry.appendAgentTransitions) {
      if (this.isForeign && this.head.agentTransitions.some(known => isSame(known, transition))) continue
      this.#addTransition(transition)
    }
    this.#applyHead(entry, revision)
  }

  #applyUpdate(update: NormalTurnUpdate, span: RecordSpan): void {
    const index = this.lastIndexOf(update.turnId)
    const place = this.places[index]
    if (place === undefined) {
      if (this.isForeign) return
      throw new Error('a change of a turn that is not there')
    }
    this.places[index] = { ...place, patches: [...place.patches, span] }
    const known = this.#recent.get(index)
    if (known !== undefined) this.#remember(index, updateTurn(known.turn, update), known.bytes + span.length)
  }

  #turnAt(index: number): TurnRecord {
    const known = this.#recent.get(index)
    if (known !== undefined) return known.turn
    const place = this.places[index]
    if (place === undefined) throw new RangeError('no turn at this index')
    const turn = this.#readTurn(this, place)
    this.#remember(index, turn, bytesOf(place))
    return turn
  }

  /**
   * The turns of the document, which were read to find them, for whoever wants them all right now. They
   * are given once: who does not ask at once lets go of them.
   */
  takeDocumentTurns(): readonly TurnRecord[] | null {
    const turns = this.#documentTurns
    this.#documentTurns = null
    return turns
  }

  /** Live turns, not to be given out as they are; null where one of them would have to be read. */
  recall(first: number, end: number): TurnRecord[] | null {
    // Big integers would have to be turned into numbers first.
    if (end - first > RECENT_TURNS || this.hasBigIntegers) return null
    const turns: TurnRecord[] = []
    for (let index = first; index < end; index++) {
      const known = this.#recent.get(index)
      if (known === undefined) return null
      turns.push(known.turn)
    }
    return turns
  }

  /** Takes over turns that were read anyway, if the index still is what it was when they were asked for. */
  rememberTurns(first: number, places: readonly TurnPlace[], turns: readonly TurnRecord[]): void {
    if (turns.length > RECENT_TURNS || this.hasBigIntegers) return
    turns.forEach((turn, at) => {
      const place = places[at]
      if (place !== undefined && this.places[first + at] === place) this.#remember(first + at, turn, bytesOf(place))
    })
  }

  #remember(index: number, turn: TurnRecord, bytes: number): void {
    this.#forget(index)
    this.#recent.set(index, { turn, bytes })
    this.#recentBytes += bytes
    for (const oldest of this.#recent.keys()) {
      if (oldest === index || (this.#recent.size <= RECENT_TURNS && this.#recentBytes <= RECENT_BYTES)) return
      this.#forget(oldest)
    }
  }

  #forget(index: number): void {
    this.#recentBytes -= this.#recent.get(index)?.bytes ?? 0
    this.#recent.delete(index)
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

  /**
   * Carries out a plan whose result is about to be written as a new document, since it drops turns.
   * What it adds is kept in memory until then.
   */
  applyPlan(plan: ChangePlan): void {
    const { head } = this
    const transitions = head.agentTransitions.filter(transition => !isDropped(this, transition, plan.keepTurns))
    head.agentTransitions = []
    this.#transitions.clear()
    for (const transition of transitions.concat(plan.appendAgentTransitions)) this.#addTransition(transition)
    const places = this.places.splice(0).slice(0, plan.keepTurns)
    this.#lastIndex.clear()
    this.#recent.clear()
    this.#recentBytes = 0
    this.#hasRepeatedIds = false
    for (const { index, turn } of plan.replaceTurns) places[index] = placeOf(turn)
    for (const place of places.concat(plan.appendTurns.map(placeOf))) this.#addPlace(place)
    if (plan.metadata !== undefined) head.metadata = plan.metadata
    if (plan.agentId !== undefined) head.agentId = plan.agentId
    head.updatedAt = plan.updatedAt
    head.revision = plan.revision
  }

  /** What there is at this moment, for a compaction that writes it down while changes go on. */
  snapshot(): Snapshot {
    return {
      head: { ...this.head, agentTransitions: [...this.head.agentTransitions] },
      places: [...this.places],
      document: this.document,
      isSliceable: this.isSliceable,
    }
  }

  /** Goes over to the document into which a snapshot was compacted; what came since stays in the journal. */
  rebase(snapshot: Snapshot, spans: readonly Span[], document: TurnIndex['document']): void {
    spans.forEach((span, item) => {
      const place = this.places[item]
      const compacted = snapshot.places[item]?.patches.length ?? 0
      if (place === undefined) return
      this.places[item] = { turnId: place.turnId, base: { kind: 'document', span, item }, patches: place.patches.slice(compacted) }
    })
    this.document = document
    this.isSliceable = true
    this.isForeign = false
    this.rotated = null
    if (this.journal !== null) this.journal.isNeeded = this.revision > snapshot.head.revision
  }

  #addPlace(place: TurnPlace): void {
    if (this.#lastIndex.has(place.turnId)) this.#hasRepeatedIds = true
    this.#lastIndex.set(place.turnId, this.places.length)
    this.places.push(place)
  }

  /** Where an id is repeated, in an old file, the first is meant. */
  #addTransition(transition: AgentTransitionRecord): void {
    const { transitionId } = transition
    if (transitionId !== null && !this.#transitions.has(transitionId)) this.#transitions.set(transitionId, transition)
    this.head.agentTransitions.push(transition)
  }
}

/** About what a turn weighs. */
function bytesOf({ base, patches }: TurnPlace): number {
  const beginning = base.kind === 'value' ? 0 : (base.span?.length ?? 0)
  return patches.reduce((sum, { length }) => sum + length, beginning)
}

function placeOf(turn: TurnRecord): TurnPlace {
  return { turnId: turn.turnId, base: { kind: 'value', turn }, patches: [] }
}

function isSame(a: AgentTransitionRecord, b: AgentTransitionRecord): boolean {
  return a.timestamp === b.timestamp && sameTransition(a, b)
}
