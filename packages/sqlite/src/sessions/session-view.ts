import type { AgentTransitionRecord, JsonObject, SessionRecord, TurnRecord } from '@turnstore/core'
import { isEnded } from '@turnstore/core'
import { type ChangePlan, encodeTransition, encodeTurn, nextRevision, type Condition, type Scope, type SessionView, timeKey } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import type { SqlValue } from '../database/driver.js'
import { type Decision, UNREAD } from '../database/group-commit.js'
import { exact } from '../tables/columns.js'
import { markMoved } from '../tables/moved-sessions.js'
import { sql } from '../tables/statements.js'
import { indexAllTurnIds, indexTurnIds, placesOfTurn } from '../tables/turn-ids.js'
import { ofSession, turnsMissing } from './damage.js'
import { findDamaged, type Head, objectOf, readHead, readTransition } from './session-rows.js'
import { readTurnWithId } from './turn-bodies.js'
import { readIfSmall } from './whole-session.js'

/** A session as a change sees it: each answer is a SELECT, none reads the whole. Inside a transaction. */
export class StoredSession implements SessionView {
  readonly sessionId: string
  readonly #connection: Connection
  readonly #head: Head

  constructor(connection: Connection, sessionId: string, head: Head) {
    this.#connection = connection
    this.sessionId = sessionId
    this.#head = head
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
    return ofSession(this.sessionId, () => objectOf(this.#connection.value(sql.metadata, this.#head.id), 'metadata'))
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
    return body === undefined ? undefined : ofSession(this.sessionId, () => readTransition(body))
  }

  /**
   * Writes down what the plan brings. Gives how the session stands then.
   * @param bodyOf the JSON of a turn that the plan appends
   */
  carryOut(plan: ChangePlan, bodyOf: (turn: TurnRecord) => string): Head {
    const { id, hasMoved, turnCount } = this.#head
    const dropped = plan.keepTurns === undefined ? 0 : rewind(this.#connection, this.sessionId, this.#head, plan.keepTurns)
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
    return { ...this.#head, agentId, ended, hasMoved: true, updatedAt, revision, turnCount: plan.turnCount, transitionCount }
  }
}

/** Creates a session or replaces it as a whole: decides, and gives its revision and what is left to do. */
export function replaceSession(
  connection: Connection,
  session: SessionRecord,
  turnBodies: readonly string[],
  condition: Condition,
  isRead: boolean,
): Decision<number> | typeof UNREAD {
  const { sessionId } = session
  const current = readHead(connection, sessionId, undefined)
  const revision = nextRevision(session, current, condition)
  if (current !== null && !isRead && !readIfSmall(connection, sessionId, current)) return UNREAD
  const carryOut = (): void => {
    const columns: SqlValue[] = [
      sessionId,
      session.workspaceId,
      session.parentSessionId,
      exactOrNull(session.agentId),
      exact(session.createdAt),
      timeKey(session.createdAt),
      timeKey(session.updatedAt),
      Number(isEnded(session)),
    ]
    let id: number
    if (current === null) {
      id = Number(connection.value(sql.insertSession, ...columns))
    } else {
      id = current.id
      connection.run(sql.replaceSession, ...columns, id)
      deleteTurns(connection, sessionId, current)
    }
    connection.run(
      sql.putHead,
      exact(session.updatedAt),
      timeKey(session.updatedAt),
      revision,
      session.turns.length,
      session.agentTransitions.length,
      id,
    )
    const extra = session.extra === undefined ? null : JSON.stringify(session.extra)
    connection.run(sql.putDetails, id, JSON.stringify(session.metadata), extra)
    const bodies = turnBodies.values()
    insertTurns(connection, id, 0, session.turns, () => bodies.next().value ?? '')
    insertTransitions(connection, id, session.agentTransitions)
  }
  return { answer: revision, carryOut }
}

/** Whether there is a session to delete, and what is left to do for it. */
export function removeSession(
  connection: Connection,
  sessionId: string,
  scope: Scope,
  isRead: boolean,
): Decision<boolean> | typeof UNREAD {
  const head = readHead(connection, sessionId, scope)
  if (head === null) return { answer: false }
  if (!isRead && !readIfSmall(connection, sessionId, head)) return UNREAD
  const carryOut = (): void => {
    deleteTurns(connection, sessionId, head)
    deleteSession(connection, head.id)
  }
  return { answer: true, carryOut }
}

/** The same for one that cannot be read: whatever is there of it goes. @throws `CORRUPT_SESSION`, see `findDamaged` */
export function removeDamaged(connection: Connection, sessionId: string, scope: Scope): Decision<boolean> {
  const id = findDamaged(connection, sessionId, scope)
  if (id === null) return { answer: false }
  const carryOut = (): void => {
    connection.run(sql.deleteTurnsAstray, id)
    connection.run(sql.deleteTurns, id)
    deletePlacesAndTransitions(connection, id)
    deleteSession(connection, id)
  }
  return { answer: true, carryOut }
}

function insertTurns(
  connection: Connection,
  id: number,
  first: number,
  turns: readonly TurnRecord[],
  bodyOf: (turn: TurnRecord) => string,
): void {
  let seq = first
  for (const turn of turns) {
    connection.run(sql.insertTurn, id, seq, bodyOf(turn))
    connection.run(sql.insertPlace, id, seq, exact(turn.turnId))
    seq++
  }
  indexTurnIds(connection, id, first, seq)
}

/** Drops the turns after those that stay, and the transitions that name them. Gives how many those were. */
function rewind(connection: Connection, sessionId: string, { id, turnCount }: Head, keepTurns: number): number {
  indexAllTurnIds(connection, id, turnCount)
  const transitions = connection.run(sql.dropTransitions, id, keepTurns)
  connection.run(sql.dropTurnIds, id, keepTurns)
  dropTurns(connection, sessionId, id, keepTurns, turnCount)
  connection.run(sql.dropPlaces, id, keepTurns)
  return transitions
}

/** Those from one place on. Before their places, by which they are found. @throws `CORRUPT_SESSION` */
function dropTurns(connection: Connection, sessionId: string, id: number, first: number, turnCount: number): void {
  const dropped = connection.run(sql.dropTurns, id, first, id, first)
  if (dropped === turnCount - first) return
  // Damaged since it was read. The transaction is undone.
  ofSession(sessionId, () => {
    throw turnsMissing()
  })
}

/** All turns and transitions of a session, and its head. */
function deleteTurns(connection: Connection, sessionId: string, { id, turnCount }: Head): void {
  dropTurns(connection, sessionId, id, 0, turnCount)
  deletePlacesAndTransitions(connection, id)
}

function deletePlacesAndTransitions(connection: Connection, id: number): void {
  connection.run(sql.deleteTurnIds, id)
  connection.run(sql.deletePlaces, id)
  connection.run(sql.deleteTransitions, id)
}

function deleteSession(connection: Connection, id: number): void {
  connection.run(sql.deleteDetails, id)
  connection.run(sql.deleteSession, id)
}

function insertTransitions(connection: Connection, id: number, transitions: readonly AgentTransitionRecord[]): void {
  if (transitions.length === 0) return
  let seq = Number(connection.value(sql.nextTransitionSeq, id))
  for (const transition of transitions) {
    const { transitionId, turnId } = transition
    connection.run(
      sql.insertTransition,
      id,
      seq++,
      exactOrNull(transitionId),
      exact(turnId),
      JSON.stringify(encodeTransition(transition)),
    )
  }
}

function exactOrNull(value: string | null): string | null {
  return value === null ? null : exact(value)
}
