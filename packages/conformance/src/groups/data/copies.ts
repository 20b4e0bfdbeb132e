import type { SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { nameOf, present, same } from '../../checks/expect.js'
import { unless } from '../../checks/races.js'
import { gather } from '../../samples/methods.js'
import { changeOf, fullSession, itemOf, sessionOf, toolCallOf, transitionOf, turnOf } from '../../samples/samples.js'

/** Modifying arguments or results never changes stored data. */
export const copiesGroup: Group = { title: 'Copies', define }

function define({ it }: Cases): void {
  it('copies', 'copies a record at the time of the call', async ({ store }) => {
    const session = fullSession('s')
    const saving = store.saveSession(session, undefined)
    vandalise(session)
    await saving
    same(await store.loadSession('s'), fullSession('s'), 'the stored session')
    vandalise(session)
    same(await store.loadSession('s'), fullSession('s'), 'the stored session, later')
  })

  it('copies', 'copies a change at the time of the call', async ({ store }) => {
    const bring = () =>
      changeOf({
        updateTurns: [
          {
            turnId: 't1',
            set: { metadata: { a: { b: 1 } }, auditEventIds: ['x'], extra: { y: [1] } },
            setMetadata: { c: [1] },
            removeItems: ['i2'],
            putToolCalls: [toolCallOf('c9', { arguments: { z: [1] } })],
            putItems: [itemOf('i9', { value: { z: [1] }, extra: { w: {} } })],
          },
        ],
        appendTurns: [
          turnOf('new', { metadata: { a: [1] }, toolCalls: [toolCallOf('c', { result: { b: 2 } })], extra: { c: {} } }),
        ],
        appendAgentTransitions: [transitionOf('h9', { extra: { d: [] } })],
        setMetadata: { e: { f: 1 } },
        unsetMetadata: ['customer'],
        keepTurns: 1,
        agentId: 'other',
      })
    await store.saveSession(fullSession('expected'))
    await store.changeSession('expected', bring())
    await store.saveSession(fullSession('s'))
    const change = bring()
    const changing = store.changeSession('s', change)
    vandalise(change)
    await changing
    vandalise(change)
    same(
      { ...(await store.loadSession('s')), sessionId: '' },
      { ...(await store.loadSession('expected')), sessionId: '' },
      'the session',
    )
  })

  it('copies', 'copies options, ranges and queries at the time of the call', async ({ store }) => {
    await store.saveSession(fullSession('s', { workspaceId: 'w', metadata: { a: 1 } }))
    await store.saveSession(fullSession('other', { workspaceId: 'v', metadata: { a: 2 } }))
    const options = { workspaceId: 'w' }
    const loading = store.loadSession('s', options)
    const deleting = store.deleteSession('other', options)
    const range = { from: 1, limit: 1 }
    const reading = store.readTurns('s', range)
    const query = { workspaceId: 'w', metadata: { a: 1 }, limit: 1 }
    const querying = store.querySessions(query)
    const iterating = store.sessions(query)
    const parts = { list: 'items' as const, last: 1 }
    const readingParts = store.readParts('s', 't1', parts, { ...options })
    const made = { idempotencyKey: 'k', createIfMissing: { workspaceId: 'w', metadata: { a: [1] } } }
    const making = store.changeSession('made', changeOf({}), made)
    const condition = { ifRevision: 1 }
    const changing = store.changeSession('s', changeOf({}), condition)
    const creating = { workspaceId: 'w', ifRevision: 0 }
    const saving = store.saveSession(sessionOf('new', { workspaceId: 'w' }), creating)
    const listing = store.listSessions(options)
    const summarising = store.loadSummary('other', options)
    vandalise({ options, range, parts, made, query, condition, creating })
    same((await changing).revision, 1, 'changeSession')
    same(await saving, 1, 'saveSession')
    same((await readingParts)?.parts.map(({ itemId }) => itemId), ['i2'], 'readParts')
    same((await making).created, true, 'changeSession with createIfMissing')
    same((await store.loadSession('made', { workspaceId: 'w' }))?.metadata, { a: [1] }, 'what it created')
    same((await listing).includes('other'), false, 'listSessions')
    same(await summarising, null, 'loadSummary')
    same((await loading)?.sessionId, 's', 'loadSession')
    same(await deleting, false, 'deleteSession')
    same(
      (await reading)?.turns.map(({ turnId }) => turnId),
      ['t0'],
      'readTurns',
    )
    same(
      (await querying).sessions.map(({ sessionId }) => sessionId),
      ['s'],
      'querySessions',
    )
    same(
      (await gather(iterating)).map(({ sessionId }) => sessionId),
      ['s'],
      'sessions',
    )
  })

  it('copies', 'returns objects that the caller may modify', async ({ store }) => {
    await store.saveSession(fullSession('s', { workspaceId: 'w' }))
    await store.changeSession(
      's',
      changeOf({ appendTurns: [turnOf('new', { metadata: { a: [1] } })], setMetadata: { b: [2] } }),
    )
    const reads: Record<string, (store: SessionStore) => Promise<object | null>> = {
      loadSession: store => store.loadSession('s'),
      readTurns: store => store.readTurns('s', {}),
      'readTurns by id': store => store.readTurns('s', { turnId: 't1' }),
      'readTurns of the last': store => store.readTurns('s', { last: 2 }),
      'readTurns without parts': store => store.readTurns('s', {}, { parts: 'none' }),
      'readParts of tool calls': store => store.readParts('s', 't1', { list: 'toolCalls' }),
      'readParts of items': store => store.readParts('s', 't1', { list: 'items', last: 2 }),
      loadSummary: store => store.loadSummary('s'),
      listSessions: store => store.listSessions(),
      querySessions: store => store.querySessions(),
      sessions: store => gather(store.sessions()),
    }
    // A copy, since the results are modified next. By JSON, since `structuredClone` creates objects of another realm in
    // some test runners.
    const before: unknown = JSON.parse(JSON.stringify(await readAll(store, reads)))
    for (const [name, read] of Object.entries(reads)) {
      vandalise(present(await read(store), name))
      same(await readAll(store, reads), before, `everything, after the result of ${name} was modified`)
    }
    const result = await store.changeSession('s', changeOf({ appendTurns: [turnOf('new', { metadata: { a: [1] } })] }))
    vandalise(result)
    same(await readAll(store, reads), before, 'everything, after the result of changeSession was modified')
    const keyed = changeOf({ updateTurns: [{ turnId: 'new', ifStatus: 'x', set: {} }], appendTurns: [turnOf('u')] })
    const first = await store.changeSession('s', keyed, { idempotencyKey: 'k' })
    const { deduplicated, skipped = [] } = first
    const expected = { ...first, deduplicated: [...deduplicated], skipped: [...skipped], replayed: true }
    for (const again of [first, null, null]) {
      const repeated = again ?? (await store.changeSession('s', keyed, { idempotencyKey: 'k' }))
      if (again === null) same(repeated, expected, 'the result of a repetition, after others were modified')
      vandalise(repeated)
    }
  })

  it('copies', 'returns separate lists and objects to each caller, even if they are empty', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    await store.saveSession(sessionOf('other', { turns: [turnOf('t')] }))
    const none = { workspaceId: 'none' }
    const reads: Record<string, (store: SessionStore) => Promise<object | null>> = {
      loadSession: store => store.loadSession('s'),
      'loadSession of another': store => store.loadSession('other'),
      loadSummary: store => store.loadSummary('s'),
      'loadSummary of another': store => store.loadSummary('other'),
      readTurns: store => store.readTurns('s', {}),
      'readTurns without parts': store => store.readTurns('s', {}, { parts: 'none' }),
      readParts: store => store.readParts('other', 't', { list: 'items' }),
      'readTurns by id': store => store.readTurns('s', { turnId: 'none' }),
      listSessions: store => store.listSessions(none),
      querySessions: store => store.querySessions(),
      'querySessions without a session': store => store.querySessions(none),
      sessions: store => gather(store.sessions(none)),
      changeSession: store => store.changeSession('s', changeOf({})),
    }
    const before: unknown = JSON.parse(JSON.stringify(await readAll(store, reads)))
    for (const [name, read] of Object.entries(reads)) {
      vandalise(present(await read(store), name))
      same(await readAll(store, reads), before, `everything, after the result of ${name} was modified`)
    }
  })

  it('copies', 'never modifies arguments, which may be frozen', async ({ store }) => {
    const bring = () => ({
      record: fullSession('s', { revision: 7 }),
      // Without defaults: a store must not fill them in in the caller's object.
      bare: { sessionId: 'bare', turns: [{ turnId: 't', toolCalls: [{ toolName: 'x' }] }] },
      change: {
        ...changeOf({
          appendTurns: [{ turnId: 'z', toolCalls: [{ toolName: 'x' }] }, turnOf('a')],
          updateTurns: [
            {
              turnId: 't1',
              set: { status: 'x' },
              removeItems: ['i1'],
              putToolCalls: [{ toolName: 'x', replace: true }],
              putItems: [{ format: 'own', value: { b: 1, a: [] } }],
            },
          ],
          appendAgentTransitions: [{ toAgent: 'x' }],
          setMetadata: { b: [1], a: {} },
          unsetMetadata: ['tags', 'customer'],
        }),
      },
      query: { metadata: { b: null, a: 1 } },
      range: { last: 1 },
      options: { workspaceId: null },
      condition: { ifRevision: 1, idempotencyKey: 'k' },
      creation: { createIfMissing: { metadata: { b: [1], a: {} } } },
      parts: { list: 'items' as const, last: 1 },
    })
    for (const given of [bring(), deepFrozen(bring())]) {
      await store.saveSession(given.record, given.options)
      await store.saveSession(given.bare)
      await store.changeSession('s', given.change, given.condition)
      await store.readTurns('s', given.range, given.options)
      await store.readParts('s', 't1', given.parts, given.options)
      await store.changeSession('made', given.change, given.creation).catch(unless('TURN_NOT_FOUND'))
      await Promise.all([store.loadSession('s', given.options), store.listSessions(given.options)])
      await Promise.all([store.querySessions(given.query), gather(store.sessions(given.query))])
      same(given, bring(), 'the arguments after the calls')
      for (const id of await store.listSessions()) await store.deleteSession(id)
    }
  })

  it('copies', 'gives two readers separate objects', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const [first, second] = await Promise.all([store.loadSession('s'), store.loadSession('s')])
    vandalise(present(first, 'a session'))
    same(second, fullSession('s'), 'the second result, after the first was modified')
  })
}

async function readAll(
  store: SessionStore,
  reads: Record<string, (store: SessionStore) => Promise<object | null>>,
): Promise<unknown> {
  // Shows an unreadable result next to the expected one.
  const results = Object.entries(reads).map(async ([name, read]) => [name, await read(store).catch(nameOf)] as const)
  return Object.fromEntries(await Promise.all(results))
}

function deepFrozen<T>(value: T): T {
  if (isObject(value)) Object.values(value).forEach(deepFrozen)
  return Object.freeze(value)
}

/** Modifies everything that it can reach: scalars, lists, members. */
function vandalise(target: object): void {
  if (Array.isArray(target)) {
    target.filter(isObject).forEach(vandalise)
    target.reverse()
    target.push('modified')
    return
  }
  for (const [key, value] of Object.entries(target)) {
    if (isObject(value)) vandalise(value)
    else Reflect.set(target, key, typeof value === 'number' ? value + 1000 : 'modified')
  }
  Reflect.set(target, 'modified', true)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
