import type { AgentTransitionRecord, TurnRecord } from '@turnstore/core'
import { damaged, encodeTransition, ofSession } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { exact, exactOrNull } from '../tables/columns.js'
import { sql } from '../tables/statements.js'
import { indexAllTurnIds, indexTurnIds } from '../tables/turn-ids.js'
import type { Head } from './session-rows.js'

export function insertTurns(
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

/** Deletes the turns from `keepTurns` on, and their transitions. Returns how many transitions. */
export function rewind(connection: Connection, head: Head, keepTurns: number): number {
  const { id, turnCount } = head
  indexAllTurnIds(connection, id, turnCount)
  const transitions = connection.run(sql.dropTransitions, id, keepTurns)
  connection.run(sql.dropTurnIds, id, keepTurns)
  dropTurns(connection, head, keepTurns)
  connection.run(sql.dropPlaces, id, keepTurns)
  return transitions
}

/** Deletes the turns from `first` on. Call it before their places are deleted. @throws `CORRUPT_SESSION` */
function dropTurns(connection: Connection, { id, sessionId, turnCount }: Head, first: number): void {
  const dropped = connection.run(sql.dropTurns, id, first, id, first)
  if (dropped === turnCount - first) return
  // Damaged since it was read. The error rolls back the transaction.
  ofSession(sessionId, () => {
    throw damaged('turns are missing')
  })
}

/** Deletes all turns and transitions of a session, and its head. */
export function deleteTurns(connection: Connection, head: Head): void {
  dropTurns(connection, head, 0)
  deletePlacesAndTransitions(connection, head.id)
}

export function deletePlacesAndTransitions(connection: Connection, id: number): void {
  connection.run(sql.deleteTurnIds, id)
  connection.run(sql.deletePlaces, id)
  connection.run(sql.deleteTransitions, id)
}

export function insertTransitions(
  connection: Connection,
  id: number,
  transitions: readonly AgentTransitionRecord[],
): void {
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
