import { corruptSession, newerSession } from '../server/redis-errors.js'
import { workspaceOf } from './keyspace.js'
import type { Stamped } from './session-head.js'

/** The replies with which every script says that there is nothing to work on. */
export function refusalOf(sessionId: string, reply: readonly string[]): Error | null {
  const [status, detail = ''] = reply
  if (status === 'newer') return newerSession(sessionId, detail)
  if (status === 'corrupt') return corruptSession(sessionId, detail)
  return null
}

/** Where a session stands in the indexes by updatedAt, and where it stood before a write. */
export interface Move {
  readonly workspaceId: string | null
  readonly now: Stamped
  readonly before: Stamped
}

/** What a script says of a session that it has written. */
export interface Written extends Move {
  readonly revision: number
  readonly turnCount: number
}

/** What `apply` and `save` reply where they wrote; null otherwise. */
export function readWritten(reply: readonly string[]): Written | null {
  const [status, revision, turnCount, , workspace = '', time = '', stamp = '', timeBefore = '', stampBefore = ''] =
    reply
  if (status !== 'ok') return null
  return {
    revision: Number(revision),
    turnCount: Number(turnCount),
    workspaceId: workspaceOf(workspace),
    now: { time, stamp },
    before: { time: timeBefore, stamp: stampBefore },
  }
}
