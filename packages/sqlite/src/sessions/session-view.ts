import { type AgentTransitionRecord, isEnded, type JsonObject, type TurnRecord } from '@turnstore/core'
import {
  type ChangePlan,
  ofSession,
  readStoredObject,
  readStoredTransition,
  type SessionView,
} from '@turnstore/core/adapter'
import { exact } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { markMoved } from '../tables/moved-sessions.js'
import { planWriter } from '../tables/plan-verbs.js'
import { sql } from '../tables/statements.js'
import { indexTurnIds, placesOfTurn } from '../tables/turn-ids.js'
import type { Head } from './session-rows.js'
import { readTurnWithId } from './turn-bodies.js'
import { runAll } from './run-statements.js'

/** What a change needs to know of a session, inside a transaction. Each answer is a SELECT; none reads the whole. */
export class SqliteSessionView implements SessionView {
  readonly #connection: Connection
  readonly #head: Head

  constructor(connection: Connection, head: Head) {
    this.#connection = connection
    this.#head = head
  }

  get sessionId(): string {
    return this.#head.sessionId
  }

  get revision(): number {
    return this.#head.revision
  }

  get turnCount(): number {
    return this.#head.turnCount
  }

  get agentId(): string | null {
    return this.#head.agentId
  }

  get updatedAt(): string {
    return this.#head.updatedAt
  }

  get metadata(): JsonObject {
    return ofSession(this.sessionId, () =>
      readStoredObject(this.#connection.value(sql.metadata, this.#head.id), 'metadata'),
    )
  }

  findTurn(turnId: string, before: number): { turn: TurnRecord; index: number } | undefined {
    const index = placesOfTurn(this.#connection, this.#head, turnId).findLast(place => place < before)
    if (index === undefined) return undefined
    const row = this.#connection.get(sql.turn, this.#head.id, index)
    return { turn: ofSession(this.sessionId, () => readTurnWithId(row, turnId)), index }
  }

  firstIndexOfTurn(turnId: string): number {
    return placesOfTurn(this.#connection, this.#head, turnId)[0] ?? -1
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    const body = this.#connection.value(sql.transitionWithId, this.#head.id, exact(transitionId))
    return body === undefined ? undefined : ofSession(this.sessionId, () => readStoredTransition(body))
  }

  /**
   * Writes what the plan changes. Returns the new head, or null after a rewind, where a count is in the database only.
   * @param bodyOf returns the JSON of a turn that the plan appends
   */
  apply(plan: ChangePlan, bodyOf: (turn: TurnRecord) => string): Head | null {
    const head = this.#head
    const { id, turnCount } = head
    runAll(this.#connection, head.sessionId, planWriter.planned(plan, { ...head, key: id }, bodyOf))
    indexTurnIds(this.#connection, id, plan.keepTurns ?? turnCount, plan.turnCount)
    if (!head.hasMoved) markMoved(this.#connection, id)
    if (plan.keepTurns !== undefined) return null
    return {
      ...head,
      agentId: plan.agentId === undefined ? head.agentId : plan.agentId,
      ended: plan.metadata === undefined ? head.ended : Number(isEnded({ metadata: plan.metadata })),
      hasMoved: true,
      updatedAt: plan.updatedAt,
      revision: plan.revision,
      turnCount: plan.turnCount,
      transitionCount: head.transitionCount + plan.appendAgentTransitions.length,
    }
  }
}
