import type { AgentTransitionRecord, JsonObject, SessionRecord, TurnRecord } from '@turnstore/core'
import { type ChangePlan, isDropped, type SessionView } from '@turnstore/core/adapter'

/** A session with an index of its ids, so that a change costs what it brings and not what is there. */
export class IndexedSession implements SessionView {
  /** Altered in place by {@link carryOut}. */
  readonly session: SessionRecord
  /** Where each turn id stands, ascending: old files may have one twice. */
  readonly #places = new Map<string, number[]>()
  readonly #transitions = new Map<string, AgentTransitionRecord>()

  /** Takes the record over. */
  constructor(session: SessionRecord) {
    this.session = session
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

  /** Takes over what the plan brings. */
  carryOut(plan: ChangePlan): void {
    const { session } = this
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

  #rewind(keepTurns: number): void {
    const { session } = this
    // First the transitions: whether one goes is seen by where its turn stands.
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

  /** Where an id is there twice, the first is meant. */
  #addTransition(transition: AgentTransitionRecord): void {
    const { transitionId } = transition
    if (transitionId !== null && !this.#transitions.has(transitionId)) this.#transitions.set(transitionId, transition)
  }
}
