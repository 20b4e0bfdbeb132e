import type { SessionQuery } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'

const time = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()

/** A store with so many sessions, and the statements that it runs. */
async function storeOf(
  count: number,
): Promise<{ store: SqliteSessionStore; statements: string[]; database: Database.Database }> {
  const statements: string[] = []
  const database = new Database(':memory:', { verbose: statement => statements.push(String(statement)) })
  const store = new SqliteSessionStore(database)
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      store.saveSession({
        sessionId: `s${index}`,
        workspaceId: index % 2 === 0 ? 'acme' : null,
        parentSessionId: index % 100 === 7 ? 's0' : null,
        agentId: index % 3 === 0 ? 'billing' : null,
        createdAt: time(index),
        updatedAt: time(count - index),
        metadata: { number: index, ended: index % 4 === 0 },
      }),
    ),
  )
  statements.length = 0
  return { store, statements, database }
}

const unfiltered: SessionQuery[] = (['updatedAt', 'createdAt'] as const).flatMap(orderBy =>
  (['desc', 'asc'] as const).flatMap(order =>
    [{}, { workspaceId: 'acme' }, { workspaceId: null }].map(scope => ({ ...scope, orderBy, order })),
  ),
)

const head = "is_head = 1 AND session = (SELECT id FROM turnstore_sessions WHERE session_id = 's6')"
const lost = 'Session "s6" cannot be read: The database holds no valid value in column updated_at'

describe('a page', () => {
  it.each(unfiltered)('is a range of an index, with nothing sorted: %j', async query => {
    const { store, statements, database } = await storeOf(300)
    const first = await store.querySessions({ ...query, limit: 10 })
    const second = await store.querySessions({ ...query, limit: 10, cursor: first.cursor ?? '' })
    expect(second.sessions).toHaveLength(10)
    const plans = statements
      .filter(statement => /ORDER BY/.test(statement))
      .map(statement => ({
        statement,
        plan: database
          .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${statement}`)
          .all()
          .map(({ detail }) => detail),
      }))
    // Apart from the range, the moved sessions, of which there are only a few.
    const ofMoved = plans.filter(({ statement }) => statement.includes('turnstore_sessions_moved'))
    expect(ofMoved).toHaveLength(query.orderBy === 'updatedAt' ? 2 : 0)
    for (const { plan } of ofMoved) {
      expect(plan.filter(step => /^(SCAN|SEARCH) s USING/.test(step))).toStrictEqual([
        expect.stringMatching(/USING INDEX turnstore_sessions_moved \(moved=\?\)/),
      ])
    }
    const pages = plans.filter(each => !ofMoved.includes(each))
    expect(pages).toHaveLength(2)
    for (const { plan } of pages) {
      expect(plan).toStrictEqual([
        expect.stringMatching(/USING INDEX turnstore_sessions_/),
        expect.stringMatching(/^SEARCH h USING PRIMARY KEY \(session=\? AND is_head=\? AND seq=\?\)/),
        // The last turn.
        expect.stringMatching(/^SEARCH lp USING PRIMARY KEY \(session=\? AND is_head=\? AND seq=\?\)/),
        expect.stringMatching(/^SEARCH last USING INTEGER PRIMARY KEY/),
        expect.stringMatching(/^CORRELATED SCALAR SUBQUERY/),
        expect.stringMatching(/^SEARCH turnstore_details USING INTEGER PRIMARY KEY/),
      ])
    }
    // After a cursor, the range begins at it.
    expect(pages[1]?.statement).toMatch(/\(s\.(updated|created)_key, s\.session_id\) [<>]/)
    await store.close()
  })

  it('of one parent reads no other sessions', async () => {
    const { store, statements, database } = await storeOf(300)
    const { sessions } = await store.querySessions({ parentSessionId: 's0' })
    expect(sessions.map(({ sessionId }) => sessionId)).toStrictEqual(['s7', 's107', 's207'])
    const [statement = ''] = statements.filter(each => /ORDER BY/.test(each))
    const plan = database.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${statement}`).all()
    expect(plan.map(({ detail }) => detail)).toContainEqual(
      expect.stringMatching(/USING INDEX turnstore_sessions_parent \(parent_session_id=\?\)/),
    )
    await store.close()
  })

  it('with a filter that few sessions match is read in chunks, which yield to the event loop', async () => {
    const { store } = await storeOf(3000)
    let turns = 0
    const ticking = setInterval(() => turns++, 0)
    const found = await store.querySessions({ metadata: { number: 2999 } })
    const nothing = await store.querySessions({ agentId: 'nobody' })
    clearInterval(ticking)
    expect(found.sessions.map(({ sessionId }) => sessionId)).toStrictEqual(['s2999'])
    expect([found.cursor, nothing]).toStrictEqual([null, { sessions: [], cursor: null }])
    expect(turns).toBeGreaterThan(2)
    await store.close()
  })

  it('with a filter on metadata of a megabyte each is read in chunks of some milliseconds, and has each session once', async () => {
    const { store, statements } = await storeOf(3)
    const text = 'x'.repeat(1_000_000)
    for (let index = 3; index < 60; index++) {
      await store.saveSession({
        sessionId: `s${index}`,
        updatedAt: time(100 + (index % 5)),
        metadata: { text, third: index % 3 },
      })
    }
    const ids: string[] = []
    for await (const { sessionId } of store.sessions({ metadata: { third: 2 }, limit: 7 })) ids.push(sessionId)
    expect(ids).toHaveLength(19)
    expect(new Set(ids).size).toBe(19)
    statements.length = 0
    let turns = 0
    const ticking = setInterval(() => turns++, 0)
    expect(await store.querySessions({ metadata: { third: 9 } })).toStrictEqual({ sessions: [], cursor: null })
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(1)
    expect(statements.filter(statement => statement === 'BEGIN').length).toBeGreaterThan(1)
    await store.close()
  })

  it('with a filter ends after timeoutMs, short, with a cursor to the rest', async () => {
    const { database } = await storeOf(3000)
    const hurried = new SqliteSessionStore(database, { timeoutMs: 1 })
    const ids: string[] = []
    let pages = 0
    let cursor: string | null | undefined
    while (cursor !== null) {
      const page = await hurried.querySessions({
        metadata: { ended: true },
        limit: 1000,
        ...(cursor !== undefined && { cursor }),
      })
      ids.push(...page.sessions.map(({ sessionId }) => sessionId))
      cursor = page.cursor
      pages++
    }
    expect(pages).toBeGreaterThan(1)
    expect(ids).toStrictEqual(Array.from({ length: 750 }, (_, index) => `s${index * 4}`))
  })

  it('reports each damaged session once, on the page where it belongs', async () => {
    const { store, database } = await storeOf(20)
    for (const id of ['s3', 's9', 's10', 's19']) {
      database
        .prepare(
          "UPDATE turnstore_details SET metadata = '{' WHERE session = (SELECT id FROM turnstore_sessions WHERE session_id = ?)",
        )
        .run(id)
    }
    const ids: string[] = []
    const damaged: string[] = []
    let cursor: string | null | undefined
    while (cursor !== null) {
      const page = await store.querySessions({ limit: 3, ...(cursor !== undefined && { cursor }) })
      ids.push(...page.sessions.map(({ sessionId }) => sessionId))
      damaged.push(...(page.damaged ?? []).map(({ sessionId, code }) => `${sessionId} ${code}`))
      cursor = page.cursor
    }
    expect(damaged).toStrictEqual(['s3', 's9', 's10', 's19'].map(id => `${id} CORRUPT_SESSION`))
    expect(ids).toHaveLength(16)
  })

  it.each([
    [
      'another time than its own',
      `UPDATE turnstore_places SET updated_at = '${time(9)}' WHERE ${head};
       UPDATE turnstore_sessions SET created_at = '' WHERE session_id = 's6'`,
      's6',
    ],
    [
      'no time',
      "UPDATE turnstore_sessions SET updated_key = '2026', created_key = 'x' WHERE session_id = 's6'",
      'Session "s6" cannot be read: it is listed at no time',
    ],
    [
      'no time, and has moved',
      `UPDATE turnstore_places SET updated_key = 'x' WHERE ${head};
       UPDATE turnstore_sessions SET moved = 1, created_key = 'x' WHERE session_id = 's6'`,
      'Session "s6" cannot be read: it is listed at no time',
    ],
    ['a time, without a head', `DELETE FROM turnstore_places WHERE ${head}`, lost],
    [
      'a time, without a head, and has moved',
      `DELETE FROM turnstore_places WHERE ${head};
       UPDATE turnstore_sessions SET moved = 1 WHERE session_id = 's6'`,
      lost,
    ],
  ])('continues after a session that is listed at %s', async (_what, altered, expected) => {
    const { store, database } = await storeOf(10)
    database.exec(altered)
    for (const orderBy of ['updatedAt', 'createdAt'] as const) {
      for (const order of ['asc', 'desc'] as const) {
        const pages: string[] = []
        let cursor: string | null | undefined
        while (cursor !== null && pages.length < 20) {
          const page = await store.querySessions({ order, orderBy, limit: 1, ...(cursor !== undefined && { cursor }) })
          pages.push(
            ...page.sessions.map(({ sessionId }) => sessionId),
            ...(page.damaged ?? []).map(({ message }) => message),
          )
          cursor = page.cursor
        }
        const ids = Array.from({ length: 10 }, (_, index) => (index === 6 ? expected : `s${index}`))
        expect(pages.toSorted()).toStrictEqual(ids.toSorted())
      }
    }
    expect(await store.checkIntegrity()).toMatchObject({ ok: false })
  })
})
