import type { SessionQuery, SessionRecord, SessionStore, SessionSummary } from '@turnstore/core'
import { holds, show } from '../checks/expect.js'

export async function pages(store: SessionStore, query: SessionQuery): Promise<string[][]> {
  const result: string[][] = []
  for (let next: SessionQuery | null = query; next !== null;) {
    const { sessions, cursor }: { sessions: SessionSummary[]; cursor: string | null } = await store.querySessions(next)
    result.push(idsOfPage(sessions))
    holds(result.length < 100, `paging does not end: ${show(query)}`)
    next = cursor === null ? null : { ...query, cursor }
  }
  return result
}

export async function saveAll(store: SessionStore, sessions: readonly SessionRecord[]): Promise<void> {
  await Promise.all(sessions.map(session => store.saveSession(session)))
}

export function idsOfPage(sessions: readonly { readonly sessionId: string }[]): string[] {
  return sessions.map(({ sessionId }) => sessionId)
}

export function minute(count: number): string {
  return new Date(Date.UTC(2026, 0, 1) + count * 60_000).toISOString()
}
