import type { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { matching } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

const schemaOf = (): unknown[] =>
  folder.handle().prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2').all()

// Text that SQLite would change: UTF-8 has no lone surrogates, and NUL ends a text in some functions. Text that looks like
// our encoding of such text must stay distinct from it.
const odd = [
  '\ud800',
  '\ufffd',
  '\udc00',
  'a\ud83d',
  'a\ufffd',
  '\ude00\ud83d',
  'a\0b',
  'a',
  'a\0',
  '\0',
  '"',
  '"a"',
  '"\\ud800"',
  '\\ud800',
  '""',
  'null',
  '',
]

describe('text of old records that SQLite would change', () => {
  const asIs = {
    sessionId: 's',
    createdAt: '"\ud800',
    updatedAt: '\ufffd\0',
    agentId: '\ud800',
    turns: odd
      .filter(id => id !== '')
      .map((turnId, index) => ({
        turnId,
        agentId: turnId,
        prompt: `turn ${index} ${turnId}`,
        metadata: { [turnId]: turnId },
      })),
    agentTransitions: odd
      .filter(id => id !== '')
      .map(id => ({ toAgent: id, fromAgent: id, turnId: id, transitionId: id })),
    metadata: Object.fromEntries(odd.map(text => [`k${text}`, text])),
    extra: { later: odd },
  }

  it('is returned unchanged, by each handle, and in a backup', async () => {
    const store = folder.open()
    await store.saveSession(asIs)
    const session = await store.loadSession('s')
    expect(session).toMatchObject(asIs)
    await store.backup(folder.path('copy.db'))
    for (const path of [folder.database, folder.path('copy.db')])
      expect(await folder.open({}, path).loadSession('s')).toEqual(session)
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    expect((await store.querySessions()).sessions).toMatchObject([
      { createdAt: '"\ud800', updatedAt: '\ufffd\0', agentId: '\ud800' },
    ])
    expect(await store.loadSummary('s')).toMatchObject({
      createdAt: '"\ud800',
      agentId: '\ud800',
      metadata: asIs.metadata,
    })
  })

  it('stays distinct: turns with U+D800 and with U+FFFD are two', async () => {
    const store = folder.open()
    await store.saveSession(asIs)
    for (const [index, { turnId }] of asIs.turns.entries()) {
      expect(await store.readTurns('s', { turnId })).toMatchObject({
        firstIndex: index,
        turns: [{ turnId, prompt: `turn ${index} ${turnId}` }],
      })
    }
    const unchanged = { updateTurns: [{ turnId: '\ufffd', set: { status: 'error' } }], updatedAt: at }
    await store.changeSession('s', unchanged)
    const statuses = (await store.loadSession('s'))?.turns.map(({ turnId, status }) => [turnId, status])
    expect(statuses).toEqual(asIs.turns.map(({ turnId }) => [turnId, turnId === '\ufffd' ? 'error' : 'success']))
    expect(await failureOf(store.changeSession('s', append('"\\ud800"')))).toMatchObject({ code: 'TURN_ID_CONFLICT' })
    expect((await store.changeSession('s', append('"\\udead"'))).turnCount).toBe(asIs.turns.length + 1)
  })

  it('is deleted with its turn in a rewind, and transitions of other turns stay', async () => {
    const store = folder.open()
    await store.saveSession(asIs)
    for (let keepTurns = asIs.turns.length - 1; keepTurns >= 0; keepTurns--) {
      await store.changeSession('s', { keepTurns, updatedAt: at })
      const session = await store.loadSession('s')
      const kept = asIs.turns.slice(0, keepTurns).map(({ turnId }) => turnId)
      expect(turnIdsOf(session)).toEqual(kept)
      expect(session?.agentTransitions.map(({ turnId }) => turnId)).toEqual(kept)
    }
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  it('can be queried as the agent of a session', async () => {
    const store = folder.open()
    const agents = ['"a"', 'a', '"', '\ufffd', 'null']
    for (const [index, agentId] of [...agents, '\ud800', null].entries())
      await store.saveSession({ sessionId: `s${index}`, agentId })
    for (const [index, agentId] of [...agents.entries(), [6, null] as const]) {
      expect((await store.querySessions({ agentId })).sessions.map(({ sessionId }) => sessionId)).toEqual([`s${index}`])
    }
  })
})

const hostile = [
  `x') OR '1'='1`,
  `x'; DROP TABLE turnstore_sessions; --`,
  `a"."b`,
  '$gt); DROP',
  '%',
  '_',
  '%%',
  's_',
  `t"; DROP--`,
  '?',
  '?1',
  ':a',
  '@a',
  '$a',
  '+?',
  '\\',
  "''",
  '`',
  '[x]',
  '/*',
  '--',
  '../x',
  '..',
  '.',
  '/etc/passwd',
  'CON',
  'a.',
  'a ',
  ' a',
  '%2e%2e%2f',
  'ß',
  'ss',
  'A',
  'a',
  'ﬁ',
  'fi',
  'é',
  'e\u0301',
  '😀'.repeat(50),
  '\u202e',
  '\u200b',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'NULL',
  '0',
  '1',
  '01',
  '1.0',
  '1e3',
  'x:messages',
  '{a}b',
  '*',
  'sqlite_master',
  'turnstore_sessions',
  'rowid',
  '~',
  '-rf',
  'x'.repeat(200),
]

describe('ids that are SQL, patterns, numbers or names', () => {
  async function filled(): Promise<SqliteSessionStore> {
    const store = folder.open()
    await Promise.all(
      hostile.map(id =>
        store.saveSession({
          sessionId: id,
          workspaceId: id,
          parentSessionId: id,
          agentId: id,
          createdAt: at,
          turns: [{ turnId: id }],
          metadata: { [id]: id },
        }),
      ),
    )
    return store
  }

  it('work as sessions, workspaces, parents, agents, turns and keys, each distinct', async () => {
    await folder.once(store => store.listSessions())
    const schema = schemaOf()
    const store = await filled()
    expect((await store.listSessions()).toSorted()).toEqual(hostile.toSorted())
    for (const id of hostile) {
      const alone = { workspaceId: id }
      expect(await store.loadSession(id, alone)).toMatchObject({
        sessionId: id,
        workspaceId: id,
        parentSessionId: id,
        agentId: id,
        turns: [{ turnId: id }],
      })
      expect(await store.listSessions(alone)).toEqual([id])
      expect((await store.readTurns(id, { turnId: id }))?.turns).toHaveLength(1)
      const own = Object.fromEntries([[id, id]])
      for (const query of [
        alone,
        { parentSessionId: id },
        { agentId: id },
        { metadata: own },
        { ...alone, agentId: id, parentSessionId: id, metadata: own },
      ]) {
        expect((await store.querySessions(query)).sessions.map(({ sessionId }) => sessionId)).toEqual([id])
      }
      expect(
        (await store.changeSession(id, { ...append(`${id.slice(0, 90)}!`), setMetadata: own }, alone)).turnCount,
      ).toBe(2)
    }
    for (const id of hostile.slice(0, 20)) expect(await store.deleteSession(id, { workspaceId: id })).toBe(true)
    expect((await store.listSessions()).toSorted()).toEqual(hostile.slice(20).toSorted())
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    expect(schemaOf()).toEqual(schema)
  })

  it('are listed page by page, each once, in the order of their UTF-8 bytes', async () => {
    const store = await filled()
    const bytes = (id: string): Buffer => Buffer.from(id)
    const ascending = hostile.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b)))
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = []
      for await (const { sessionId } of store.sessions({ order, limit: 7 })) seen.push(sessionId)
      expect(seen).toEqual(order === 'asc' ? ascending : ascending.toReversed())
    }
  })

  it.each([
    ['a workspace', { workspaceId: `w' OR 1=1 --\0` }],
    ['an order', { orderBy: 'updated_key; DROP TABLE turnstore_turns' }],
    ['a direction', { order: 'asc; DROP TABLE turnstore_turns' }],
    ['a limit', { limit: '1; DROP TABLE turnstore_turns' }],
    ['a cursor', { cursor: `' OR 1=1 --` }],
    ['a member', { [`workspaceId' OR 1=1`]: 'x' }],
    ['an operator', { metadata: { k: { $gt: '' } } }],
    ['a time', { updatedAfter: `' OR 1=1 --` }],
  ])('are not part of a query: %s is refused, and nothing changes', async (_name, query) => {
    const store = await filled()
    const schema = schemaOf()
    const refused: unknown = await Promise.resolve(
      Reflect.apply(Reflect.get(store, 'querySessions'), store, [query]),
    ).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: matching(/^INVALID_(ARGUMENT|ID)$/) })
    expect(schemaOf()).toEqual(schema)
    expect(await store.listSessions()).toHaveLength(hostile.length)
  })
})
