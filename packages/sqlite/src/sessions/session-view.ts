import { type AgentTransitionRecord, isEnded, type JsonObject, type TurnRecord } from '@turnstore/core'
import {
  applyTurnPlan,
  type ChangePlan,
  damaged,
  ofSession,
  readStoredObject,
  readStoredRemembered,
  readStoredTransition,
  type RememberedChange,
  type SessionView,
  type TurnPlan,
  type TurnView,
  turnViewOf,
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
  /** The turns that were found, by their index. */
  readonly #found = new Map<number, TurnRecord>()

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

  findTurn(turnId: string, before: number): TurnView | undefined {
    const index = placesOfTurn(this.#connection, this.#head, turnId).findLast(place => place < before)
    if (index === undefined) return undefined
    const row = this.#connection.get(sql.turn, this.#head.id, index)
    const turn = ofSession(this.sessionId, () => readTurnWithId(row, turnId))
    this.#found.set(index, turn)
    return turnViewOf(turn, index)
  }

  firstIndexOfTurn(turnId: string): number {
    return placesOfTurn(this.#connection, this.#head, turnId)[0] ?? -1
  }

  findTransition(transitionId: string): AgentTransitionRecord | undefined {
    const body = this.#connection.value(sql.transitionWithId, this.#head.id, exact(transitionId))
    return body === undefined ? undefined : ofSession(this.sessionId, () => readStoredTransition(body))
  }

  findRemembered(key: string): RememberedChange | undefined {
    const body = this.#connection.value(sql.remembered, this.#head.id, key)
    if (body === undefined) return undefined
    return ofSession(this.sessionId, () => {
      const remembered = readStoredRemembered(body)
      if (remembered.key !== key) throw damaged('a remembered change is found by another key')
      return remembered
    })
  }

  #updated(update: TurnPlan): TurnRecord {
    const turn = this.#found.get(update.index)
    if (turn === undefined) throw new Error('No plan has a turn that it did not look for')
    return applyTurnPlan(turn, update)
  }

  /**
   * Writes what the plan changes. Returns the new head, or null after a rewind, where a count is in the database only.
   * @param bodyOf returns the JSON of a turn that the plan appends
   */
  apply(plan: ChangePlan, bodyOf: (turn: TurnRecord) => string): Head | null {
    const head = this.#head
    const { id, turnCount } = head
    const updated = (update: TurnPlan): TurnRecord => this.#updated(update)
    runAll(this.#connection, head.sessionId, planWriter.planned(plan, { ...head, key: id }, updated, bodyOf))
    if (!plan.changed) return head
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
