import type { SessionQuery, SessionRecord } from '@turnstore/core'

/*
 * An independent implementation of queries: times are integers of microseconds, ids are bytes, and there are no pages.
 */

/** The ids that match a query, in its order, ignoring its limit. */
export function idsOf(sessions: readonly SessionRecord[], query: SessionQuery): string[] {
  const orderBy = query.orderBy ?? 'updatedAt'
  const found = sessions
    .filter(session => isMeant(session, query))
    .toSorted((a, b) => {
      const [left, right] = [instantOf(a[orderBy]), instantOf(b[orderBy])]
      if (left !== right) return (left ?? -(2n ** 80n)) < (right ?? -(2n ** 80n)) ? -1 : 1
      return Buffer.compare(Buffer.from(a.sessionId), Buffer.from(b.sessionId))
    })
    .map(({ sessionId }) => sessionId)
  return query.order === 'asc' ? found : found.toReversed()
}

function isMeant(session: SessionRecord, query: SessionQuery): boolean {
  for (const name of ['workspaceId', 'agentId', 'parentSessionId'] as const) {
    if (query[name] !== undefined && session[name] !== query[name]) return false
  }
  const { ended } = session.metadata
  if (query.ended !== undefined && (ended === true) !== query.ended) return false
  const { lastTurnStatus } = query
  if (lastTurnStatus !== undefined && session.turns.at(-1)?.status !== lastTurnStatus) return false
  const bounds = [
    [session.updatedAt, query.updatedAfter, query.updatedBefore],
    [session.createdAt, query.createdAfter, query.createdBefore],
  ] as const
  for (const [time, after, before] of bounds) {
    const instant = instantOf(time)
    if (after !== undefined && !(instant !== null && instant > (instantOf(after) ?? 0n))) return false
    if (before !== undefined && !(instant !== null && instant < (instantOf(before) ?? 0n))) return false
  }
  return Object.entries(query.metadata ?? {}).every(([key, value]) =>
    Object.entries(session.metadata).some(([name, member]) => name === key && member === value),
  )
}

/** Microseconds since 1970; null if the text is not a time. */
function instantOf(time: string): bigint | null {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/.exec(time)
  if (match === null) return null
  const [, minute = '', second = ':00', fraction = '', zone = 'Z'] = match
  return BigInt(Date.parse(minute + second + zone)) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6))
}
