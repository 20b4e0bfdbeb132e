import { type AgentTransitionRecord, isEnded, type JsonObject, type TurnRecord } from '@turnstore/core'
import {
  type ChangePlan,
  encodeTurn,
  ofSession,
  readStoredObject,
  readStoredTransition,
  type SessionView,
  timeKey,
} from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { exact, exactOrNull } from '../tables/columns.js'
import { markMoved } from '../tables/moved-sessions.js'
import { sql } from '../tables/statements.js'
import { placesOfTurn } from '../tables/turn-ids.js'
import type { Head } from './session-rows.js'
import { readTurnWithId } from './turn-bodies.js'
import { insertTransitions, insertTurns, rewind } from './write-rows.js'

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
   * Writes what the plan changes. Returns the new head.
   * @param bodyOf returns the JSON of a turn that the plan appends
   */
  apply(plan: ChangePlan, bodyOf: (turn: TurnRecord) => string): Head {
    const { id, hasMoved, turnCount } = this.#head
    const dropped = plan.keepTurns === undefined ? 0 : rewind(this.#connection, this.#head, plan.keepTurns)
    for (const { index, turn } of plan.replaceTurns) {
      this.#connection.run(sql.replaceTurn, JSON.stringify(encodeTurn(turn)), id, index, id)
    }
    insertTurns(this.#connection, id, plan.keepTurns ?? turnCount, plan.appendTurns, bodyOf)
    insertTransitions(this.#connection, id, plan.appendAgentTransitions)
    if (plan.metadata !== undefined) this.#connection.run(sql.changeMetadata, JSON.stringify(plan.metadata), id)
    const agentId = plan.agentId === undefined ? this.#head.agentId : plan.agentId
    const ended = plan.metadata === undefined ? this.#head.ended : Number(isEnded({ metadata: plan.metadata }))
    if (plan.agentId !== undefined || plan.metadata !== undefined) {
      this.#connection.run(sql.changeSession, exactOrNull(agentId), ended, id)
    }
    if (!hasMoved) markMoved(this.#connection, id)
    const { updatedAt, revision } = plan
    const transitionCount = this.#head.transitionCount - dropped + plan.appendAgentTransitions.length
    const columns = [exact(updatedAt), timeKey(updatedAt), revision, plan.turnCount, transitionCount]
    this.#connection.run(sql.changeHead, ...columns, id)
    return {
      ...this.#head,
      agentId,
      ended,
      hasMoved: true,
      updatedAt,
      revision,
      turnCount: plan.turnCount,
      transitionCount,
    }
  }
}
