import type { ErrorCode, NewSessionInput, SessionChange, SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, present, refuses, same } from '../../checks/expect.js'
import { unless } from '../../checks/races.js'
import { untyped } from '../../samples/methods.js'
import {
  appendOf,
  changeOf,
  indexes,
  itemOf,
  sessionOf,
  T1,
  T2,
  transitionOf,
  turnIdsOf,
  turnOf,
} from '../../samples/samples.js'

/** Changes that create their session in the same step. */
export const creationGroup: Group = { title: 'Creation', define }

function define({ it, thorough }: Cases): void {
  it('change', 'a change with createIfMissing creates the session with the change applied', async ({ store }) => {
    const creation = { workspaceId: 'w', agentId: 'a', parentSessionId: 'p', metadata: { a: 1, b: 1, d: 1 } }
    const change = changeOf({
      appendTurns: [turnOf('t', { prompt: 'x' })],
      appendAgentTransitions: [transitionOf('h', { turnId: 't' })],
      setMetadata: { b: 2, c: 2 },
      unsetMetadata: ['a'],
    })
    const created = await store.changeSession('s', change, { createIfMissing: creation })
    same(created, { revision: 1, turnCount: 1, deduplicated: [], created: true }, 'the result')
    const session = sessionOf('s', {
      workspaceId: 'w',
      agentId: 'a',
      parentSessionId: 'p',
      createdAt: T1,
      updatedAt: T1,
      turns: [turnOf('t', { prompt: 'x' })],
      agentTransitions: [transitionOf('h', { turnId: 't' })],
      metadata: { b: 2, d: 1, c: 2 },
    })
    same(await store.loadSession('s'), session, 'the session')
    same(await store.listSessions({ workspaceId: 'w' }), ['s'], 'the list')
    same((await store.querySessions({ workspaceId: 'w' })).sessions[0]?.turnCount, 1, 'the listing')
    const next = { ...appendOf('u'), updatedAt: T2 }
    const changed = await store.changeSession('s', next, { createIfMissing: { workspaceId: 'w', agentId: 'b' } })
    same(changed, { revision: 2, turnCount: 2, deduplicated: [] }, 'the result for a session that exists')
    const after = await store.loadSession('s')
    same([after?.agentId, after?.createdAt, after?.updatedAt], ['a', T1, T2], 'the session that existed')
  })

  it('change', 'creates for changes of every kind, but not for an update', async ({ store }) => {
    const kinds: SessionChange[] = [
      changeOf({}),
      changeOf({ keepTurns: 0 }),
      changeOf({ keepTurns: 0, appendTurns: [turnOf('t'), turnOf('t')] }),
      changeOf({ agentId: 'b' }),
      changeOf({ agentId: null }),
      changeOf({ setMetadata: { ended: true } }),
      changeOf({ appendAgentTransitions: [transitionOf(null)] }),
    ]
    for (const [index, change] of kinds.entries()) {
      const result = await store.changeSession(`s${index}`, change, { createIfMissing: { agentId: 'a' } })
      same([result.revision, result.created], [1, true], JSON.stringify(change))
      const stored = present(await store.loadSession(`s${index}`), 'the session')
      const turns = change.appendTurns === undefined ? [] : ['t']
      same([stored.revision, turnIdsOf(stored), stored.createdAt], [1, turns, T1], JSON.stringify(change))
      same(stored.agentId, change.agentId === undefined ? 'a' : change.agentId, 'the agent')
    }
    const failing: [SessionChange, 'TURN_NOT_FOUND' | 'TURN_ID_CONFLICT'][] = [
      [changeOf({ updateTurns: [{ turnId: 't', set: {} }] }), 'TURN_NOT_FOUND'],
      [changeOf({ appendTurns: [turnOf('t')], updateTurns: [{ turnId: 't', set: {} }] }), 'TURN_NOT_FOUND'],
      [changeOf({ appendTurns: [turnOf('t'), turnOf('t', { prompt: 'x' })] }), 'TURN_ID_CONFLICT'],
    ]
    for (const [change, code] of failing) {
      await refuses(() => store.changeSession('n', change, { createIfMissing: {} }), code, JSON.stringify(change))
      same(await store.loadSession('n'), null, 'nothing is created')
    }
  })

  it('scope', 'creates in the workspace of the call, and reaches into no other', async ({ store }) => {
    const workspaces: [options: object, workspaceId: string | null][] = [
      [{ createIfMissing: {} }, null],
      [{ createIfMissing: { workspaceId: 'w' } }, 'w'],
      [{ workspaceId: 'w', createIfMissing: {} }, 'w'],
      [{ workspaceId: 'w', createIfMissing: { workspaceId: 'w' } }, 'w'],
      [{ workspaceId: null, createIfMissing: { workspaceId: null } }, null],
    ]
    for (const [index, [options, workspaceId]] of workspaces.entries()) {
      await store.changeSession(`s${index}`, appendOf('t'), options)
      same((await store.loadSession(`s${index}`))?.workspaceId, workspaceId, JSON.stringify(options))
      const elsewhere = { createIfMissing: { workspaceId: 'other' } }
      const call = () => store.changeSession(`s${index}`, appendOf('u'), elsewhere)
      await refuses(call, 'SESSION_EXISTS', `another workspace than ${workspaceId}`, { sessionId: `s${index}` })
      same((await store.loadSession(`s${index}`))?.turns.length, 1, 'the session of the other workspace')
    }
    const invalid = [
      { workspaceId: 'w', createIfMissing: { workspaceId: 'v' } },
      { workspaceId: null, createIfMissing: { workspaceId: 'v' } },
      { workspaceId: 'w', createIfMissing: { workspaceId: null } },
      { ifRevision: 1, createIfMissing: {} },
      { createIfMissing: null },
      { createIfMissing: true },
      { createIfMissing: { workspaceId: undefined } },
      { createIfMissing: { workspaceid: 'w' } },
    ]
    for (const options of invalid) {
      const call = () => store.changeSession('new', appendOf('t'), untyped(options))
      await refuses(call, 'INVALID_ARGUMENT', JSON.stringify(options))
    }
    same(await store.loadSession('new'), null, 'nothing is created')
  })

  it('deleted', 'creates again after a delete, and a key replays a creation', async ({ store }) => {
    const options = { createIfMissing: {}, idempotencyKey: 'k' }
    const first = await store.changeSession('s', appendOf('t'), options)
    same(first, { revision: 1, turnCount: 1, deduplicated: [], created: true }, 'the creation')
    same(await store.changeSession('s', appendOf('t'), options), { ...first, replayed: true }, 'its repetition')
    await store.deleteSession('s')
    same(await store.changeSession('s', appendOf('t'), options), first, 'the same after a delete')
    const fresh = sessionOf('s', { turns: [turnOf('t')], createdAt: T1, updatedAt: T1 })
    same(await store.loadSession('s'), fresh, 'the session after a delete and a creation')
  })

  it('change', 'creates at the time of the call if the change has none', async ({ store }) => {
    const before = Date.now()
    await store.changeSession('s', { appendTurns: [turnOf('t')] }, { createIfMissing: {} })
    const session = present(await store.loadSession('s'), 'the session')
    const time = Date.parse(session.createdAt)
    holds(time >= before && time <= Date.now(), 'createdAt is the time of the call')
    same(session.updatedAt, session.createdAt, 'updatedAt')
  })

  it('atomic', 'creates nothing if the change fails, and remembers nothing of it', async ({ store }) => {
    const large = 'x'.repeat(600_000)
    const failing: [SessionChange, code: ErrorCode, createIfMissing: NewSessionInput][] = [
      [changeOf({ setMetadata: { b: large } }), 'INVALID_RECORD', { metadata: { a: large } }],
      [changeOf({ updateTurns: [{ turnId: 't', putItems: [itemOf('i')] }] }), 'TURN_NOT_FOUND', {}],
      [
        changeOf({ appendAgentTransitions: [transitionOf('h'), transitionOf('h', { toAgent: 'x' })] }),
        'TRANSITION_ID_CONFLICT',
        {},
      ],
    ]
    for (const [change, code, createIfMissing] of failing) {
      const options = { createIfMissing, idempotencyKey: 'k' }
      await refuses(() => store.changeSession('s', change, options), code, `a creation that fails with ${code}`)
      same([await store.loadSession('s'), await store.listSessions()], [null, []], `what there is after ${code}`)
    }
    const options = { createIfMissing: {}, idempotencyKey: 'k' }
    same((await store.changeSession('s', changeOf({}), options)).created, true, 'a creation with the key of failures')
  })

  it('retry', 'creates once for 64 callers with one key, and gives all the first result', async ({ store }) => {
    for (const round of indexes(thorough ? 10 : 2)) {
      const change = changeOf({ appendAgentTransitions: [transitionOf(null)] })
      const options = { createIfMissing: {}, idempotencyKey: 'k' }
      const results = await Promise.all(indexes(64).map(() => store.changeSession(`s${round}`, change, options)))
      same(results.filter(({ replayed }) => replayed !== true).length, 1, 'how many have created it')
      const first = { revision: 1, turnCount: 0, deduplicated: [], created: true }
      for (const { replayed: _replayed, ...result } of results) same(result, first, 'the result of each')
      same((await store.loadSession(`s${round}`))?.agentTransitions.length, 1, 'how often the change was applied')
    }
  })

  it('scope', 'creates in exactly one of many workspaces at once', async ({ store }) => {
    for (const round of indexes(4)) {
      const id = `s${round}`
      const results = await Promise.all(
        indexes(12).map(index =>
          store
            .changeSession(id, appendOf('t'), { createIfMissing: { workspaceId: `w${index}` } })
            .then(({ created }) => created === true, unless('SESSION_EXISTS')),
        ),
      )
      same(results.filter(Boolean).length, 1, 'how many of 12 workspaces have created it')
      const session = present(await store.loadSession(id), 'the session')
      same([session.workspaceId, session.revision], [`w${results.indexOf(true)}`, 1], 'the workspace of the session')
    }
  })

  it('noLostUpdate', 'loses nothing where changes and saves create one session at once', async ({ store }) => {
    for (const round of indexes(4)) {
      const id = `s${round}`
      const saves = indexes(4).map(index =>
        store
          .saveSession(sessionOf(id, { metadata: { of: index } }), { ifRevision: 0 })
          .then(() => true, unless('REVISION_CONFLICT')),
      )
      const changes = indexes(8).map(index => store.changeSession(id, appendOf(`t${index}`), { createIfMissing: {} }))
      const results = await Promise.all(changes)
      const saved = (await Promise.all(saves)).filter(Boolean).length
      const created = results.filter(result => result.created === true).length
      same(saved + created, 1, 'how many have created it')
      const session = present(await store.loadSession(id), 'the session')
      same([session.turns.length, session.revision], [8, 8 + saved], 'its turns and its revision')
    }
  })

  it('noLostUpdate', 'creates once for 64 callers at once, and keeps the turn of each', async ({ store }) => {
    await createAtOnce([store], thorough ? 10 : 2)
  })

  it(
    'noLostUpdate',
    'creates once for 64 callers over two handles, and keeps the turn of each',
    async ({ store, reopen }) => {
      await createAtOnce([store, await reopen()], thorough ? 10 : 1)
    },
    { needs: 'reopen' },
  )

  it('deleted', 'creations that race with deletes leave one whole life', async ({ store }) => {
    for (const round of indexes(8)) {
      const id = `s${round}`
      const results = await Promise.all(
        indexes(16).map(async index => {
          if (index % 4 === 3) return store.deleteSession(id).then(() => null, unless('SESSION_NOT_FOUND'))
          return store.changeSession(id, appendOf(`t${index}`), { createIfMissing: {} })
        }),
      )
      const stored = await store.loadSession(id)
      const last = results.filter(result => typeof result === 'object' && result !== null)
      const turns = stored === null ? [] : turnIdsOf(stored)
      same(new Set(turns).size, turns.length, 'no turn twice')
      if (stored === null) continue
      same(stored.revision, turns.length, 'each turn is one revision of the last life')
      same(last.length >= turns.length, true, 'no turn that was not acknowledged')
    }
  })
}

async function createAtOnce(handles: readonly SessionStore[], rounds: number): Promise<void> {
  for (const round of indexes(rounds)) {
    const id = `s${round}`
    const results = await Promise.all(
      indexes(64).map(index => {
        const handle = present(handles[index % handles.length], 'a handle')
        return handle.changeSession(id, appendOf(`t${index}`), { createIfMissing: { metadata: { round } } })
      }),
    )
    same(results.filter(({ created }) => created === true).length, 1, 'how many have created it')
    for (const handle of handles) {
      const stored = present(await handle.loadSession(id), 'the session')
      same(
        turnIdsOf(stored).toSorted(),
        indexes(64)
          .map(index => `t${index}`)
          .toSorted(),
        'the turns',
      )
      same([stored.revision, stored.metadata], [64, { round }], 'the revision and the metadata')
    }
    same(
      results.map(({ revision }) => revision).toSorted((a, b) => a - b),
      indexes(64).map(n => n + 1),
      'the revisions',
    )
  }
}
