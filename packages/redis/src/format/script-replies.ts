import { corruptSession, newerSession } from '../server/redis-errors.js'
import { workspaceOf } from './keyspace.js'
import type { Stamped } from './session-head.js'

/** The error for a reply with which a script refuses a session. Null for any other reply. */
export function refusalOf(sessionId: string, reply: readonly string[]): Error | null {
  const [status, detail = ''] = reply
  if (status === 'newer') return newerSession(sessionId, detail)
  if (status === 'corrupt') return corruptSession(sessionId, detail)
  return null
}

/** The place of a session in the indexes by updatedAt, after and before a write. */
export interface Move {
  readonly workspaceId: string | null
  readonly now: Stamped
  readonly before: Stamped
}

/** What a script returns about a session that it has written. */
export interface Written extends Move {
  readonly revision: number
  readonly turnCount: number
}

/** Reads the reply of `apply` and `save`. Null if they wrote nothing. */
export function readWritten(reply: readonly string[]): Written | null {
  const [status, revision, turnCount, workspace = '', time = '', stamp = '', timeBefore = '', stampBefore = ''] = reply
  if (status !== 'ok') return null
  return {
    revision: Number(revision),
    turnCount: Number(turnCount),
    workspaceId: workspaceOf(workspace),
    now: { time, stamp },
    before: { time: timeBefore, stamp: stampBefore },
  }
}
