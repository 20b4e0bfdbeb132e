import type { AgentTransitionRecord, JsonObject, SessionRecord, TurnRecord } from '@turnstore/core'
import {
  type ChangePlan,
  isDropped,
  REMEMBERED_CHANGES,
  type RememberedChange,
  type SessionView,
} from '@turnstore/core/adapter'

/** A session with an index of its ids, so that the cost of a change does not grow with the session. */
export class IndexedSession implements SessionView {
  /** Modified in place by {@link apply}. */
  readonly session: SessionRecord
  /** The indexes of each turn id, ascending. Old files may contain an id twice. */
  readonly #places = new Map<string, number[]>()
  readonly #transitions = new Map<string, AgentTransitionRecord>()

  /** By key, in the order in which they were applied. */
  readonly #remembered = new Map<string, RememberedChange>()

  /** Takes ownership of the record. @param remembered what the session remembers by key */
  constructor(session: SessionRecord, remembered: Iterable<RememberedChange> = []) {
    this.session = session
    for (const change of remembered) this.#remember(change)
    session.turns.forEach((turn, index) => this.#addPlace(turn.turnId, index))
    session.agentTransitions.forEach(transition => this.#addTransition(transition))
  }

  get sessionId(): string {
    return this.session.sessionId
  }

  get revision(): number {
    return this.session.revision
  }

  get turnCount(): number {
    return this.session.turns.length
  }

  get agentId(): string | null {
    return this.session.agentId
  }

  get updatedAt(): string {
    return this.session.updatedAt
  }

  get metadata(): JsonObject {
    return this.session.metadata
  }

  findTurn(turnId: string, before: number): { turn: TurnRecord; index: number } | undefined {
    const index = this.#places.get(turnId)?.findLast(place => place < before)
    const turn = index === undefined ? undefined : this.session.turns[index]
    return index === undefined || turn === undefined ? undefined : { turn, index }
  }

  firstIndexOfTurn(turnId: string): number {
    return this.#places.get(turnId)?.[0] ?? -1
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
    const { session } = this
    if (plan.remember !== undefined) this.#remember(plan.remember)
    if (!plan.changed) return
    if (plan.keepTurns !== undefined) this.#rewind(plan.keepTurns)
    for (const { index, turn } of plan.replaceTurns) session.turns[index] = turn
    for (const turn of plan.appendTurns) this.#addPlace(turn.turnId, session.turns.push(turn) - 1)
    for (const transition of plan.appendAgentTransitions) {
      session.agentTransitions.push(transition)
      this.#addTransition(transition)
    }
    if (plan.metadata !== undefined) session.metadata = plan.metadata
    if (plan.agentId !== undefined) session.agentId = plan.agentId
    session.updatedAt = plan.updatedAt
    session.revision = plan.revision
  }

  #remember(change: RememberedChange): void {
    this.#remembered.set(change.key, change)
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > REMEMBERED_CHANGES && oldest !== undefined) this.#remembered.delete(oldest)
  }

  #rewind(keepTurns: number): void {
    const { session } = this
    // Transitions first: `isDropped` needs the index of the turns.
    session.agentTransitions = session.agentTransitions.filter(transition => !isDropped(this, transition, keepTurns))
    this.#transitions.clear()
    session.agentTransitions.forEach(transition => this.#addTransition(transition))
    for (const { turnId } of session.turns.splice(keepTurns)) {
      const places = this.#places.get(turnId)
      places?.pop()
      if (places?.length === 0) this.#places.delete(turnId)
    }
  }

  #addPlace(turnId: string, index: number): void {
    const places = this.#places.get(turnId)
    if (places === undefined) this.#places.set(turnId, [index])
    else places.push(index)
  }

  /** If an id occurs twice, the first one counts. */
  #addTransition(transition: AgentTransitionRecord): void {
    const { transitionId } = transition
    if (transitionId !== null && !this.#transitions.has(transitionId)) this.#transitions.set(transitionId, transition)
  }
}
