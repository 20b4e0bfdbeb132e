import { type AgentTransitionRecord, isEnded, type JsonObject, type TurnRecord } from '@turnstore/core'
import {
  applyTurnPlan,
  type ChangePlan,
  readStoredObject,
  readStoredTransition,
  type RememberedChange,
  type SessionView,
  type TurnPlan,
  type TurnView,
  turnViewOf,
} from '@turnstore/core/adapter'
import { exact, text, type TurnRows } from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { markMoved } from '../tables/moved-sessions.js'
import { planWriter } from '../tables/plan-verbs.js'
import { sql } from '../tables/statements.js'
import { indexTurnIds, placesOfTurn } from '../tables/turn-ids.js'
import type { Head } from './session-rows.js'
import { readRemembered } from './remembered-rows.js'
import { openTurnView, readStoredTurn } from './stored-turn.js'
import { countDeletion } from '../tables/deletions.js'
import { runAll } from './run-statements.js'

/**
 * What a change needs to know of a session, inside a transaction. Each answer is a SELECT; none reads the whole. If one
 * encounters damage, it throws `CORRUPT_SESSION` without the session.
 */
export class SqliteSessionView implements SessionView {
  readonly #connection: Connection
  readonly #head: Head
  /** The turns that were found and are stored whole, by their index. */
  readonly #whole = new Map<number, TurnRecord>()

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
    return readStoredObject(this.#connection.value(sql.metadata, this.#head.id), 'metadata')
  }

  get isEnded(): boolean {
    return this.#head.ended === 1
  }

  findTurn(turnId: string, before: number): TurnView | undefined {
    const index = placesOfTurn(this.#connection, this.#head, turnId).findLast(place => place < before)
    if (index === undefined) return undefined
    const stored = readStoredTurn(this.#connection, this.#head.id, index, turnId)
    if (stored.turn === null) return openTurnView(this.#connection, stored)
    this.#whole.set(index, stored.turn)
    // Each unit of the JSON has at most three bytes.
    return turnViewOf(stored.turn, index, 3 * text(stored.row, 'body').length)
  }

  firstIndexOfTurn(turnId: string): number {
    return placesOfTurn(this.#connection, this.#head, turnId)[0] ?? -1
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    const body = this.#connection.value(sql.transitionWithId, this.#head.id, exact(transitionId))
    return body === undefined ? undefined : readStoredTransition(body)
  }

  findRemembered(key: string): RememberedChange | undefined {
    const body = this.#connection.value(sql.remembered, this.#head.id, key)
    if (body === undefined) return undefined
    return readRemembered({ key, body })
  }

  /** The turn after its update. Null if it is opened. */
  #updated(update: TurnPlan): TurnRecord | null {
    const turn = this.#whole.get(update.index)
    return turn === undefined ? null : applyTurnPlan(turn, update)
  }

  /**
   * Writes what the plan changes. Returns the new head, or null after a rewind, where a count is in the database only.
   * @param rowsOf returns the rows of a turn that the plan appends
   */
  apply(plan: ChangePlan, rowsOf: (turn: TurnRecord) => TurnRows): Head | null {
    const head = this.#head
    const { id, turnCount } = head
    const updated = (update: TurnPlan): TurnRecord | null => this.#updated(update)
    runAll(this.#connection, head.sessionId, planWriter.planned(plan, { ...head, key: id }, updated, rowsOf))
    if (!plan.changed) return head
    indexTurnIds(this.#connection, id, plan.keepTurns ?? turnCount, plan.turnCount)
    if (!head.hasMoved) markMoved(this.#connection, id)
    if (plan.keepTurns !== undefined) {
      countDeletion(this.#connection)
      return null
    }
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
