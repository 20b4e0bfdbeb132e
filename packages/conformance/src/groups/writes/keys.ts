import { type ChangeResult, type SessionChange, SessionManager, type SessionStore } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fails, holds, present, refuses, same } from '../../checks/expect.js'
import { unless } from '../../checks/races.js'
import { REMEMBERED } from '../../histories/reference-model.js'
import { untyped } from '../../samples/methods.js'
import {
  appendOf,
  changeOf,
  fullSession,
  indexes,
  sessionOf,
  T2,
  toolCallOf,
  transitionOf,
  turnIdsOf,
  turnOf,
} from '../../samples/samples.js'

/** Changes with an idempotency key: applied once, whatever they do, and the first result again. */
export const keysGroup: Group = { title: 'Keys', define }

/** Keys that a careless index, pattern or collation makes equal, and long ones. */
const keysAlike: readonly string[] = [
  'k',
  'K',
  'k ',
  ' k',
  '\u212a',
  'é',
  'e\u0301',
  'k:1',
  '%',
  '_',
  '*',
  '0',
  '00',
  'null',
  '__proto__',
  'constructor',
  'x'.repeat(200),
  `${'x'.repeat(199)}y`,
  '🍣',
  '🍺',
  "k'",
  'k"',
  'k\\',
]

const kinds: Readonly<Record<string, SessionChange>> = {
  'an append': appendOf('new'),
  'an append of a running turn': appendOf('new', { status: 'running', prompt: 'x' }),
  'a retry of an append': changeOf({ appendTurns: [fullSession('s').turns[0] ?? turnOf('t1')] }),
  'an update': changeOf({ updateTurns: [{ turnId: 't1', set: { status: 'success' } }] }),
  'a tool call': changeOf({ updateTurns: [{ turnId: 't1', putToolCalls: [toolCallOf('c9')] }] }),
  'a tool call without an id': changeOf({ updateTurns: [{ turnId: 't0', putToolCalls: [{ toolName: 'f' }] }] }),
  'a skipped update': changeOf({ updateTurns: [{ turnId: 't1', ifStatus: 'running', set: { status: 'x' } }] }),
  'an agent transition without an id': changeOf({ appendAgentTransitions: [transitionOf(null)] }),
  'a rewind': changeOf({ keepTurns: 1 }),
  'a rewind and an append': changeOf({ keepTurns: 0, appendTurns: [turnOf('new')] }),
  metadata: changeOf({ setMetadata: { a: 1 }, unsetMetadata: ['tags'] }),
  'an agent': changeOf({ agentId: 'other' }),
  'a change of nothing': changeOf({ agentId: 'support' }),
  'an empty change': changeOf({}),
}

function define({ it, thorough }: Cases): void {
  it('retry', 'a change of any kind with a known key gives the first result and writes nothing', async ({ store }) => {
    for (const [kind, change] of Object.entries(kinds)) {
      await store.saveSession(fullSession(kind))
      const options = { idempotencyKey: 'k' }
      const first = await store.changeSession(kind, change, options)
      holds(first.replayed === undefined, `${kind}: the first time is not a repetition`)
      const after = await store.loadSession(kind)
      await expectReplay(store, kind, change, options, first)
      same(await store.loadSession(kind), after, `${kind}: the session after its repetition`)
      // What the session holds by now does not matter.
      const { revision } = await store.changeSession(kind, changeOf({ keepTurns: 0, setMetadata: { later: true } }))
      const later = await store.loadSession(kind)
      await expectReplay(store, kind, { ...change, updatedAt: T2 }, options, first)
      await expectReplay(store, kind, change, { ...options, ifRevision: revision + 7 }, first)
      await expectReplay(store, kind, change, { ...options, workspaceId: null }, first)
      same(await store.loadSession(kind), later, `${kind}: the session after late repetitions`)
    }
  })

  it('retry', 'refuses another change with a known key, and applies nothing', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const change = changeOf({ appendTurns: [turnOf('new', { metadata: { a: 1, b: 2 } })], setMetadata: { a: 1 } })
    const first = await store.changeSession('s', change, { idempotencyKey: 'k' })
    const before = await store.loadSession('s')
    const others: SessionChange[] = [
      ...Object.values(kinds),
      { ...change, setMetadata: { a: '1' } },
      { ...change, reopen: true },
      { ...change, appendTurns: [turnOf('new', { metadata: { a: 1, b: 3 } })] },
      { ...change, appendTurns: [...(change.appendTurns ?? []), turnOf('newer')] },
    ]
    for (const other of others) {
      const call = () => store.changeSession('s', other, { idempotencyKey: 'k' })
      await refuses(call, 'IDEMPOTENCY_KEY_CONFLICT', JSON.stringify(other), { sessionId: 's' })
    }
    const created = () => store.changeSession('s', change, { idempotencyKey: 'k', createIfMissing: {} })
    await refuses(created, 'IDEMPOTENCY_KEY_CONFLICT', 'the same change with createIfMissing')
    same(await store.loadSession('s'), before, 'the session after conflicts')
    const reordered = changeOf({ setMetadata: { a: 1 }, appendTurns: [turnOf('new', { metadata: { b: 2, a: 1 } })] })
    await expectReplay(store, 's', reordered, { idempotencyKey: 'k' }, first)
    const next = await store.changeSession('s', changeOf({ setMetadata: { a: 2 } }), { idempotencyKey: 'K' })
    same([next.revision, next.replayed], [first.revision + 1, undefined], 'another key')
  })

  it('retry', 'compares a digest instead of the change if the caller gives one', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const options = { idempotencyKey: 'k', idempotencyDigest: 'd' }
    const first = await store.changeSession('s', appendOf('a', { startedAt: 'then' }), options)
    await expectReplay(store, 's', appendOf('b', { startedAt: 'now' }), options, first)
    const other = () => store.changeSession('s', appendOf('a'), { ...options, idempotencyDigest: 'e' })
    await refuses(other, 'IDEMPOTENCY_KEY_CONFLICT', 'another digest')
  })

  it('retry', 'remembers a change that alters nothing, without a new revision, and no failure', async ({ store }) => {
    await store.saveSession(sessionOf('s', { agentId: 'a' }))
    const nothing = changeOf({ agentId: 'a' })
    const first = await store.changeSession('s', nothing, { idempotencyKey: 'nothing' })
    same(first, { revision: 1, turnCount: 0, deduplicated: [] }, 'a change of nothing')
    await store.changeSession('s', changeOf({ agentId: 'b' }))
    await expectReplay(store, 's', nothing, { idempotencyKey: 'nothing' }, first)
    same((await store.loadSummary('s'))?.agentId, 'b', 'the agent')
    const update = changeOf({ updateTurns: [{ turnId: 't', set: { status: 'x' } }] })
    const failing = () => store.changeSession('s', update, { idempotencyKey: 'update' })
    await refuses(failing, 'TURN_NOT_FOUND', 'an update of a turn that is not there')
    const conditional = () => store.changeSession('s', update, { idempotencyKey: 'update', ifRevision: 1 })
    await refuses(conditional, 'REVISION_CONFLICT', 'a condition that fails')
    await store.changeSession('s', appendOf('t'))
    same((await failing()).replayed, undefined, 'the update once the turn is there')
  })

  it('retry', 'sees the session and the workspace before the key', async ({ store }) => {
    const missing = () => store.changeSession('s', appendOf('t'), { idempotencyKey: 'k' })
    await refuses(missing, 'SESSION_NOT_FOUND', 'a key for a missing session')
    await store.saveSession(sessionOf('s', { workspaceId: 'w' }))
    await missing()
    for (const workspaceId of ['other', null]) {
      const call = () => store.changeSession('s', appendOf('t'), { idempotencyKey: 'k', workspaceId })
      await refuses(call, 'SESSION_NOT_FOUND', `the key in workspace ${workspaceId}`)
    }
  })

  it('retry', 'keeps keys over saves, rewinds and reopening, until the session is deleted', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const options = { idempotencyKey: 'k' }
    const first = await store.changeSession('s', appendOf('a'), options)
    await store.changeSession('s', changeOf({ keepTurns: 0 }))
    await store.saveSession(sessionOf('s', { metadata: { saved: true } }))
    const before = await store.loadSession('s')
    await expectReplay(store, 's', appendOf('a'), options, first)
    same(await store.loadSession('s'), before, 'the session')
    await store.deleteSession('s')
    await store.saveSession(sessionOf('s'))
    const again = await store.changeSession('s', appendOf('a'), options)
    same(again, { revision: 2, turnCount: 1, deduplicated: [] }, 'the key in a new session with the same id')
  })

  it(
    'retry',
    'another handle knows the keys of the first',
    async ({ store, reopen }) => {
      await store.saveSession(sessionOf('s'))
      const first = await store.changeSession('s', changeOf({ setMetadata: { a: 1 } }), { idempotencyKey: 'k' })
      const other = await reopen()
      // Enough for a store to compact what it has written.
      await Promise.all(indexes(60).map(n => store.changeSession('s', appendOf(`t${n}`, { prompt: 'x'.repeat(500) }))))
      await other.changeSession('s', changeOf({ setMetadata: { a: 2 } }))
      for (const handle of [other, store]) {
        await expectReplay(handle, 's', changeOf({ setMetadata: { a: 1 } }), { idempotencyKey: 'k' }, first)
      }
      same((await store.loadSummary('s'))?.metadata, { a: 2 }, 'the metadata')
    },
    { needs: 'reopen' },
  )

  it('retry', `remembers the last ${REMEMBERED} changes with a key; others do not count`, async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const set = (n: number) => store.changeSession('s', changeOf({ setMetadata: { n } }), { idempotencyKey: `k${n}` })
    const results: ChangeResult[] = []
    for (const n of indexes(REMEMBERED)) results.push(await set(n))
    for (const n of indexes(20)) await store.changeSession('s', changeOf({ setMetadata: { other: n } }))
    // Being asked for does not make a key younger.
    for (const n of [0, REMEMBERED - 1]) same(await set(n), { ...results[n], replayed: true }, `key ${n}`)
    await set(REMEMBERED)
    same((await set(0)).replayed, undefined, `key 0, after ${REMEMBERED} others`)
    same((await set(2)).replayed, true, 'key 2')
    same((await set(1)).replayed, undefined, 'key 1')
  })

  it('retry', 'applies one of 64 changes with one key at once, and all get its result', async ({ store }) => {
    for (const round of indexes(thorough ? 20 : 2)) {
      await store.saveSession(sessionOf(`s${round}`))
      const change = changeOf({ appendAgentTransitions: [transitionOf(null)] })
      const results = await Promise.all(
        indexes(64).map(() => store.changeSession(`s${round}`, change, { idempotencyKey: 'k' })),
      )
      same(results.filter(({ replayed }) => replayed !== true).length, 1, 'how many have applied it')
      for (const result of results) same(result.revision, 2, 'the revision of each')
      same((await store.loadSession(`s${round}`))?.agentTransitions.length, 1, 'how often it was applied')
    }
  })

  it('ids', 'tells apart keys that a store may confuse, in each session', async ({ store }) => {
    const ids = ['s', 'S', 's:k']
    for (const id of ids) await store.saveSession(sessionOf(id))
    const change = (name: string) => changeOf({ appendAgentTransitions: [transitionOf(null, { toAgent: name })] })
    const all = ids.flatMap(id => keysAlike.map(key => [id, key] as const))
    const send = ([id, key]: readonly [string, string], index: number) =>
      store.changeSession(id, change(`a${index}`), { idempotencyKey: key })
    const first = await Promise.all(all.map(send))
    same(first.filter(({ replayed }) => replayed === true).length, 0, 'how many of different keys are replayed')
    const again = await Promise.all(all.map(send))
    same(
      again,
      first.map(result => ({ ...result, replayed: true })),
      'the repetitions',
    )
    for (const id of ids) {
      same((await store.loadSession(id))?.agentTransitions.length, keysAlike.length, `the changes of session ${id}`)
    }
  })

  it('retry', 'remembers of many changes at once those that succeed', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    const change = (index: number): SessionChange =>
      index % 2 === 0
        ? changeOf({ appendAgentTransitions: [transitionOf(null, { toAgent: `a${index}` })] })
        : changeOf({ updateTurns: [{ turnId: 'none', set: { status: 'x' } }] })
    const send = () =>
      Promise.all(
        indexes(24).map(index =>
          store.changeSession('s', change(index), { idempotencyKey: `k${index}` }).catch(unless('TURN_NOT_FOUND')),
        ),
      )
    const first = await send()
    const expected = first.map(result => (result === false ? false : { ...result, replayed: true }))
    same(
      first.map(Boolean),
      indexes(24).map(index => index % 2 === 0),
      'which of them succeed',
    )
    same(await send(), expected, 'the repetitions')
    same((await store.loadSession('s'))?.agentTransitions.length, 12, 'how many are applied')
  })

  it('retry', 'copies and forks remember nothing of the original', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const options = { idempotencyKey: 'k' }
    const change = changeOf({ appendAgentTransitions: [transitionOf(null)] })
    await store.changeSession('s', change, options)
    await store.saveSession({ ...present(await store.loadSession('s'), 'the session'), sessionId: 'copy' })
    await new SessionManager(store).forkSession('s', { sessionId: 'fork' })
    for (const id of ['copy', 'fork']) {
      same((await store.changeSession(id, change, options)).replayed, undefined, `the key in the ${id}`)
    }
    same((await store.changeSession('s', change, options)).replayed, true, 'the key in the original')
  })

  it('models', 'shows keys in no record, and refuses the names that stores use for them', async ({ store }) => {
    const session = fullSession('s')
    await store.saveSession(session)
    await store.changeSession('s', changeOf({ setMetadata: { a: 1 } }), { idempotencyKey: 'secret' })
    const seen = [
      await store.loadSession('s'),
      await store.loadSummary('s'),
      await store.readTurns('s', {}),
      await store.querySessions(),
    ]
    holds(!JSON.stringify(seen).includes('secret'), 'no record shows a key')
    same((await store.loadSession('s'))?.extra, session.extra, 'the extra of the session')
    for (const name of ['turnstore.keys', 'turnstore.items']) {
      const records = [{ extra: { [name]: [] } }, { metadata: { [name]: [] } }]
      for (const record of records) {
        await refuses(
          () => store.saveSession({ sessionId: 'x', ...record }),
          'INVALID_RECORD',
          `a session with ${name}`,
        )
        const append = changeOf({ appendTurns: [{ turnId: 'x', ...record }] })
        await refuses(() => store.changeSession('s', append), 'INVALID_RECORD', `a turn with ${name}`)
      }
      const set = changeOf({ setMetadata: { [name]: 1 } })
      await refuses(() => store.changeSession('s', set), 'INVALID_RECORD', `setMetadata with ${name}`)
    }
  })

  it('models', 'refuses keys that are not ids, and a digest without a key', async ({ store }) => {
    await store.saveSession(sessionOf('s'))
    for (const idempotencyKey of ['', 'x'.repeat(201), 'a\u0000b', '\ud800', 7, null]) {
      const call = () => store.changeSession('s', appendOf('t'), untyped({ idempotencyKey }))
      await fails(call, 'INVALID_ID', JSON.stringify(idempotencyKey), { outcome: 'not-stored' })
    }
    const digest = () => store.changeSession('s', appendOf('t'), { idempotencyDigest: 'd' })
    await refuses(digest, 'INVALID_ARGUMENT', 'a digest without a key')
    same(turnIdsOf(present(await store.loadSession('s'), 'the session')), [], 'the turns')
  })
}

async function expectReplay(
  store: SessionStore,
  id: string,
  change: SessionChange,
  options: Parameters<SessionStore['changeSession']>[2],
  first: ChangeResult,
): Promise<void> {
  same(await store.changeSession(id, change, options), { ...first, replayed: true }, `the repetition for ${id}`)
}
