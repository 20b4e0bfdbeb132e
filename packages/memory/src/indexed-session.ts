import type {
  AgentTransitionRecord,
  JsonObject,
  SessionRecord,
  SessionSummary,
  TurnHeadRecord,
  TurnRecord,
} from '@turnstore/core'
import {
  type ChangePlan,
  headAfter,
  headOf,
  IdPlaces,
  keptTransitions,
  REMEMBERED_CHANGES,
  type RememberedChange,
  type SessionView,
  summaryOf,
  type TurnView,
} from '@turnstore/core/adapter'
import { IndexedTurn } from './indexed-turn.js'

/** A session with an index of its ids, so that the cost of a change does not grow with the session. */
export class IndexedSession implements SessionView {
  /** The session without its turns. Modified in place by {@link apply}. */
  readonly head: Omit<SessionRecord, 'turns'>
  /** A turn is indexed with its first step, since most turns are appended whole. */
  readonly #turns: (TurnRecord | IndexedTurn)[]
  readonly #places = new IdPlaces()
  readonly #transitions = new Map<string, AgentTransitionRecord>()
  /** By key, in the order in which they were applied. */
  readonly #remembered = new Map<string, RememberedChange>()

  /** The number of this session among all that were created. A save keeps it. */
  readonly life: number

  /** Takes ownership of the record. @param remembered what the session remembers by key */
  constructor({ turns, ...head }: SessionRecord, life: number, remembered: Iterable<RememberedChange> = []) {
    this.head = head
    this.life = life
    this.#turns = turns
    for (const change of remembered) this.#remember(change)
    turns.forEach(({ turnId }) => this.#places.push(turnId))
    head.agentTransitions.forEach(transition => this.#addTransition(transition))
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

  get metadata(): JsonObject {
    return this.head.metadata
  }

  /** The session as a record. Shares its values. */
  record(): SessionRecord {
    return { ...this.head, turns: this.turns(0, this.turnCount) }
  }

  /** The turns with these indexes. Shares their values. */
  turns(first: number, end: number): TurnRecord[] {
    return this.#turns.slice(first, end).map(turn => (turn instanceof IndexedTurn ? turn.record() : turn))
  }

  summary(): SessionSummary {
    const last = this.#turns.at(-1)
    return summaryOf(this.head, this.turnCount, last instanceof IndexedTurn ? last.head : last)
  }

  /** The last turn with this id, ready for a step or for reading its parts. */
  lastTurn(turnId: string, before: number = this.turnCount): { turn: IndexedTurn; index: number } | undefined {
    const index = this.#places.last(turnId, before)
    const found = this.#turns[index]
    if (found === undefined) return undefined
    const turn = found instanceof IndexedTurn ? found : new IndexedTurn(found)
    this.#turns[index] = turn
    return { turn, index }
  }

  /** The heads of the turns with these indexes. Shares their values. */
  heads(first: number, end: number): TurnHeadRecord[] {
    return this.#turns
      .slice(first, end)
      .map(turn => (turn instanceof IndexedTurn ? { ...turn.head, partCounts: turn.partCounts } : headOf(turn)))
  }

  findTurn(turnId: string, before: number): TurnView | undefined {
    const index = this.#places.last(turnId, before)
    const turn = this.#turns[index]
    if (turn === undefined) return undefined
    return turn instanceof IndexedTurn ? turn.viewAt(index) : this.lastTurn(turnId, before)?.turn.viewAt(index)
  }

  lastIndexOf(turnId: string): number {
    return this.#places.last(turnId)
  }

  firstIndexOfTurn(turnId: string): number {
    return this.#places.first(turnId)
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    return this.#transitions.get(transitionId)
  }

  findRemembered(key: string): RememberedChange | undefined {
    return this.#remembered.get(key)
  }

  get remembered(): Iterable<RememberedChange> {
    return this.#remembered.values()
  }

  /** Applies the plan and takes ownership of its records. */
  apply(plan: ChangePlan): void {
    const { head } = this
    if (plan.remember !== undefined) this.#remember(plan.remember)
    if (!plan.changed) return
    if (plan.keepTurns !== undefined) this.#rewind(plan, plan.keepTurns)
    for (const update of plan.updateTurns) this.lastTurn(update.turnId, update.index + 1)?.turn.apply(update)
    for (const turn of plan.appendTurns) {
      this.#turns.push(turn)
      this.#places.push(turn.turnId)
    }
    for (const transition of plan.appendAgentTransitions) {
      head.agentTransitions.push(transition)
      this.#addTransition(transition)
    }
    Object.assign(head, headAfter(head, plan))
  }

  #remember(change: RememberedChange): void {
    this.#remembered.set(change.key, change)
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > REMEMBERED_CHANGES && oldest !== undefined) this.#remembered.delete(oldest)
  }

  #rewind(plan: ChangePlan, keepTurns: number): void {
    const { head } = this
    // Transitions first: what is dropped depends on the places of the turns.
    head.agentTransitions = keptTransitions(this, head.agentTransitions, plan)
    this.#transitions.clear()
    head.agentTransitions.forEach(transition => this.#addTransition(transition))
    this.#turns.length = keepTurns
    this.#places.truncate(keepTurns)
  }

  /** If an id occurs twice, the first one counts. */
  #addTransition(transition: AgentTransitionRecord): void {
    const { transitionId } = transition
    if (transitionId !== null && !this.#transitions.has(transitionId)) this.#transitions.set(transitionId, transition)
  }
}
