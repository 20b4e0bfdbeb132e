import type { AgentTransitionRecord, JsonObject, SessionRecord, TurnRecord } from '@turnstore/core'
import { type ChangePlan, headAfter, IdPlaces, keptTransitions, type SessionView } from '@turnstore/core/adapter'

/** A session with an index of its ids, so that the cost of a change does not grow with the session. */
export class IndexedSession implements SessionView {
  /** Modified in place by {@link apply}. */
  readonly session: SessionRecord
  readonly #places = new IdPlaces()
  readonly #transitions = new Map<string, AgentTransitionRecord>()

  /** Takes ownership of the record. */
  constructor(session: SessionRecord) {
    this.session = session
    session.turns.forEach(({ turnId }) => this.#places.push(turnId))
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
    const index = this.#places.last(turnId, before)
    const turn = this.session.turns[index]
    return turn === undefined ? undefined : { turn, index }
  }

  firstIndexOfTurn(turnId: string): number {
    return this.#places.first(turnId)
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    return this.#transitions.get(transitionId)
  }

  /** Applies the plan and takes ownership of its records. */
  apply(plan: ChangePlan): void {
    const { session } = this
    if (plan.keepTurns !== undefined) this.#rewind(plan, plan.keepTurns)
    for (const { index, turn } of plan.replaceTurns) session.turns[index] = turn
    for (const turn of plan.appendTurns) {
      session.turns.push(turn)
      this.#places.push(turn.turnId)
    }
    for (const transition of plan.appendAgentTransitions) {
      session.agentTransitions.push(transition)
      this.#addTransition(transition)
    }
    Object.assign(session, headAfter(session, plan))
  }

  #rewind(plan: ChangePlan, keepTurns: number): void {
    const { session } = this
    // Transitions first: what is dropped depends on the places of the turns.
    session.agentTransitions = keptTransitions(this, session.agentTransitions, plan)
    this.#transitions.clear()
    session.agentTransitions.forEach(transition => this.#addTransition(transition))
    session.turns.length = keepTurns
    this.#places.truncate(keepTurns)
  }

  /** If an id occurs twice, the first one counts. */
  #addTransition(transition: AgentTransitionRecord): void {
    const { transitionId } = transition
    if (transitionId !== null && !this.#transitions.has(transitionId)) this.#transitions.set(transitionId, transition)
  }
}
