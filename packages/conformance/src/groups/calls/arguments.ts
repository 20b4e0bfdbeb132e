import type { ErrorCode } from '@turnstore/core'
import type { Cases, Group } from '../../cases/cases.js'
import { fails, present, refuses, same, show } from '../../checks/expect.js'
import { gather, methods, methodsOfOneSession, untyped } from '../../samples/methods.js'
import { appendOf, changeOf, fullSession, sessionOf, T1, toolCallOf, turnOf } from '../../samples/samples.js'

/** Invalid values for every argument, none of which store anything. */
export const argumentsGroup: Group = { title: 'Arguments', define }

const notWhole = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', true, null, [1], {}, 1n]
const notTimes = [
  '',
  'yesterday',
  '2024',
  '2024-02-30T00:00',
  '2024-13-01T00:00',
  '2024-01-01 00:00',
  '2024-01-01T24:00',
  '2024-01-01',
  0,
  null,
  new Date(0),
]

function define({ it }: Cases): void {
  for (const [name, { kind, call }] of Object.entries(methods)) {
    it('scope', `${name} refuses invalid and unknown options`, async ({ store }) => {
      await store.saveSession(fullSession('s'))
      const wrong: [unknown, ErrorCode][] = [
        ...[null, 'w', 1, [], true, () => ({})].map((options): [unknown, ErrorCode] => [options, 'INVALID_ARGUMENT']),
        [{ workspaceId: undefined }, 'INVALID_ARGUMENT'],
        ...[
          'workspace_id',
          'workspaceID',
          'workspace',
          'if_revision',
          'ifrevision',
          'constructor',
          Symbol('workspaceId'),
        ].map((key): [unknown, ErrorCode] => [{ [key]: 'w' }, 'INVALID_ARGUMENT']),
        [JSON.parse('{"__proto__":{"workspaceId":"w"}}'), 'INVALID_ARGUMENT'],
        [Object.create({ workspaceId: 'w' }), 'INVALID_ARGUMENT'],
        ...['', 'a\nb', '\ud800', 1, {}, false].map((workspaceId): [unknown, ErrorCode] => [
          { workspaceId },
          'INVALID_ID',
        ]),
      ]
      const expectFailure = kind === 'write' ? refuses : fails
      for (const [options, code] of wrong) {
        await expectFailure(() => call(store, 's', untyped(options)), code, `${name} with options ${show(options)}`)
        const what = `${name} without a session, with options ${show(options)}`
        await expectFailure(() => call(store, 'none', untyped(options)), code, what)
      }
      if (kind === 'read')
        await fails(() => call(store, 's', untyped({ ifRevision: 1 })), 'INVALID_ARGUMENT', `${name} with ifRevision`)
      same(await store.loadSession('s'), fullSession('s'), 'the session after that')
    })
  }

  it('noLostUpdate', 'a write refuses an invalid ifRevision', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    for (const ifRevision of notWhole) {
      const options = untyped({ ifRevision })
      const what = `ifRevision ${show(ifRevision)}`
      await refuses(() => store.saveSession(sessionOf('s'), options), 'INVALID_ARGUMENT', `saveSession with ${what}`)
      await refuses(
        () => store.changeSession('s', appendOf('t'), options),
        'INVALID_ARGUMENT',
        `changeSession with ${what}`,
      )
    }
    await refuses(
      () => store.changeSession('s', appendOf('t'), { ifRevision: 0 }),
      'INVALID_ARGUMENT',
      'changeSession with ifRevision 0',
    )
    await refuses(
      () => store.changeSession('none', appendOf('t'), { ifRevision: 0 }),
      'INVALID_ARGUMENT',
      'the same without a session',
    )
    // As in JSON, an undefined member counts as missing; except a workspace, which may have been forgotten.
    await store.saveSession(fullSession('s', { workspaceId: null }), untyped({ ifRevision: undefined }))
    const { revision } = await store.changeSession('s', changeOf({}), untyped({ ifRevision: undefined }))
    same(revision, 2, 'the revision after writes with an ifRevision that is undefined')
    await store.deleteSession('s', untyped({ ifRevision: undefined }))
    await store.saveSession(fullSession('s'))
    for (const ifRevision of [0, -1, 0.5, '1', null, Number.NaN]) {
      const call = () => store.deleteSession('s', untyped({ ifRevision }))
      await refuses(call, 'INVALID_ARGUMENT', `deleteSession with ifRevision ${show(ifRevision)}`)
    }
    const both = () => store.deleteSession('s', { ifRevision: 1, evenIfDamaged: true })
    await refuses(both, 'INVALID_ARGUMENT', 'deleteSession with ifRevision and evenIfDamaged')
    same(await store.loadSession('s'), fullSession('s'), 'the session after that')
  })

  it('methods', 'deleteSession refuses an evenIfDamaged that is neither true nor false', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    for (const evenIfDamaged of [null, 1, 0, 'true', '', {}, []]) {
      const call = () => store.deleteSession('s', untyped({ evenIfDamaged }))
      await refuses(call, 'INVALID_ARGUMENT', `deleteSession with evenIfDamaged ${show(evenIfDamaged)}`)
    }
    same(await store.loadSession('s'), fullSession('s'), 'the session after that')
    same(
      await store.deleteSession('s', untyped({ evenIfDamaged: undefined })),
      true,
      'a delete with evenIfDamaged: undefined',
    )
  })

  it('methods', 'readTurns refuses invalid ranges', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const ranges = [
      undefined,
      null,
      'last',
      1,
      [],
      { first: 1 },
      { last: 1, from: 0 },
      { last: 1, limit: 1 },
      { turnId: 't1', last: 1 },
      { turnId: 't1', from: 0 },
      ...notWhole.flatMap(value => [{ last: value }, { from: value }, { limit: value }, { from: 0, limit: value }]),
      { limit: 0 },
      { from: 0, limit: 0 },
      { turnId: 1 },
      { turnId: null },
      { turnId: ['t1'] },
      Object.create({ last: 1 }),
    ]
    for (const range of ranges) {
      await fails(() => store.readTurns('s', untyped(range)), 'INVALID_ARGUMENT', `readTurns with ${show(range)}`)
      await fails(
        () => store.readTurns('none', untyped(range)),
        'INVALID_ARGUMENT',
        `readTurns of no session with ${show(range)}`,
      )
    }
  })

  it('methods', 'readParts refuses invalid ranges, and a turn id that is no string', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const ranges = [
      undefined,
      null,
      'items',
      1,
      [],
      {},
      { last: 1 },
      ...['parts', 'Items', 'tool_calls', '', null, 1, ['items']].map(list => ({ list })),
      ...notWhole.flatMap(value => [{ last: value }, { from: value }, { limit: value }]).map(withItems),
      ...[{ limit: 0 }, { last: 1, from: 0 }, { last: 1, limit: 1 }, { turnId: 't1' }, { first: 1 }].map(withItems),
      Object.create({ list: 'items' }),
    ]
    for (const id of ['s', 'none']) {
      for (const range of ranges) {
        const call = () => store.readParts(id, 't1', untyped(range))
        await fails(call, 'INVALID_ARGUMENT', `readParts of ${id} with ${show(range)}`)
      }
      for (const turnId of [undefined, null, 1, {}, ['t1']]) {
        const call = () => store.readParts(id, untyped(turnId), { list: 'items' })
        await fails(call, 'INVALID_ARGUMENT', `readParts of ${id}, turn ${show(turnId)}`)
      }
    }
  })

  it('methods', 'readTurns refuses other values of parts than all and none', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    for (const parts of ['', 'None', 'some', true, false, null, 0, ['none']]) {
      const call = () => store.readTurns('s', {}, untyped({ parts }))
      await fails(call, 'INVALID_ARGUMENT', `readTurns with parts ${show(parts)}`)
    }
    same((await store.readTurns('s', {}, untyped({ parts: undefined })))?.turns, fullSession('s').turns, 'all parts')
  })

  it('queries', 'a query refuses invalid and unknown members', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const queries: unknown[] = [
      ...[...notWhole, 0, 1001, 1e9, '10'].map(limit => ({ limit })),
      ...notTimes.flatMap(time =>
        ['updatedAfter', 'updatedBefore', 'createdAfter', 'createdBefore'].map(name => ({ [name]: time })),
      ),
      ...['asc', 'updated_at', 'sessionId', '', 1, null, ['updatedAt']].map(orderBy => ({ orderBy })),
      ...['ASC', 'ascending', '', 1, null, true, ['asc']].map(order => ({ order })),
      ...['true', 1, 0, null, {}].map(ended => ({ ended })),
      ...[1, {}, [], true].flatMap(id => [{ agentId: id }, { parentSessionId: id }]),
      ...[null, [], 'a', 1].map(metadata => ({ metadata })),
      ...[{}, [], undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n, Symbol('a'), () => 1].map(value => ({
        metadata: { a: value },
      })),
      ...['offset', 'page', 'sort', 'agent_id', 'tags', 'metadata.a'].map(key => ({ [key]: 1 })),
      ...[
        null,
        '',
        'x',
        0,
        1,
        {},
        'eyJhIjoxfQ==',
        `${'0'.repeat(16)}..s`,
        `${'0'.repeat(16)}.2026-01-31T12:00:00.000000Z.s`,
      ].map(cursor => ({ cursor })),
    ]
    for (const query of queries) {
      await fails(() => store.querySessions(untyped(query)), 'INVALID_ARGUMENT', `querySessions with ${show(query)}`)
      await fails(() => gather(store.sessions(untyped(query))), 'INVALID_ARGUMENT', `sessions with ${show(query)}`)
    }
  })

  it(
    'queries',
    'a query refuses a cursor that was truncated, altered or taken from another query',
    async ({ store }) => {
      for (const id of ['a', 'b', 'c']) await store.saveSession(sessionOf(id, { workspaceId: 'w', metadata: { k: 1 } }))
      const query = { workspaceId: 'w', metadata: { k: 1 }, limit: 1 }
      const cursor = present((await store.querySessions(query)).cursor, 'the cursor of a first page')
      same((await store.querySessions({ ...query, cursor, limit: 2 })).sessions.length, 2, 'another limit is allowed')
      same((await store.querySessions({ ...query, cursor, limit: 2 })).sessions.length, 2, 'and so is asking again')
      const damaged = [
        ...Array.from({ length: cursor.length }, (_, length) => cursor.slice(0, length)),
        ...Array.from(
          cursor,
          (char, index) => cursor.slice(0, index) + (char === '1' ? '2' : '1') + cursor.slice(index + 1),
        ),
        `${cursor}x`,
        ` ${cursor}`,
        cursor.toUpperCase(),
      ].filter(text => text !== cursor)
      for (const text of damaged) {
        await fails(
          () => store.querySessions({ ...query, cursor: text }),
          'INVALID_ARGUMENT',
          `${show(text)} in place of ${show(cursor)}`,
        )
      }
      const others = [
        { limit: 1 },
        { metadata: { k: 1 } },
        { workspaceId: 'w' },
        { ...query, workspaceId: 'v' },
        { ...query, workspaceId: null },
        { ...query, order: 'asc' },
        { ...query, orderBy: 'createdAt' },
        { ...query, agentId: null },
        { ...query, agentId: 'a' },
        { ...query, parentSessionId: null },
        { ...query, ended: false },
        { ...query, updatedAfter: T1 },
        { ...query, updatedBefore: T1 },
        { ...query, createdAfter: T1 },
        { ...query, createdBefore: T1 },
        { ...query, metadata: { k: '1' } },
        { ...query, metadata: { k: 1, l: 1 } },
      ] as const
      for (const other of others) {
        await fails(
          () => store.querySessions({ ...other, cursor }),
          'INVALID_ARGUMENT',
          `its use in the query ${show(other)}`,
        )
      }
    },
  )

  it('change', 'a change refuses invalid and unknown members, and applies nothing', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    const wrong: [unknown, ErrorCode][] = [
      ...[undefined, null, 'x', 1, []].map((change): [unknown, ErrorCode] => [change, 'INVALID_ARGUMENT']),
      [Object.assign(Object.create({ keepTurns: 0 }), changeOf({})), 'INVALID_ARGUMENT'],
      ...[null, 1, new Date(0)].map((updatedAt): [unknown, ErrorCode] => [{ updatedAt }, 'INVALID_ARGUMENT']),
      ...[...notWhole].map((keepTurns): [unknown, ErrorCode] => [
        changeOf({ keepTurns: untyped(keepTurns) }),
        'INVALID_ARGUMENT',
      ]),
      ...['turns', 'metadata', 'append_turns', 'appendTurn', 'workspaceId', 'revision', 'createdAt', 'extra'].map(
        (key): [unknown, ErrorCode] => [{ ...changeOf({}), [key]: undefined }, 'INVALID_ARGUMENT'],
      ),
      ...['updateTurns', 'appendTurns', 'appendAgentTransitions', 'unsetMetadata'].flatMap(key =>
        [null, 'x', {}, 1].map((value): [unknown, ErrorCode] => [
          { ...changeOf({}), [key]: value },
          'INVALID_ARGUMENT',
        ]),
      ),
      ...[[1], [null], [{}], [undefined], Array(1)].map((keys): [unknown, ErrorCode] => [
        changeOf({ unsetMetadata: untyped(keys) }),
        'INVALID_ARGUMENT',
      ]),
      ...[null, [], 'x', 1, new Map()].map((value): [unknown, ErrorCode] => [
        changeOf({ setMetadata: untyped(value) }),
        'INVALID_RECORD',
      ]),
      ...[1, '', 'a\nb', {}, 'x'.repeat(201)].map((agentId): [unknown, ErrorCode] => [
        changeOf({ agentId: untyped(agentId) }),
        'INVALID_ID',
      ]),
      ...[null, 1, 'x', []].map((item): [unknown, ErrorCode] => [
        changeOf({ appendTurns: [turnOf('new'), untyped(item)] }),
        'INVALID_RECORD',
      ]),
      ...[{}, { turnId: 1 }, { turnId: null }].map((item): [unknown, ErrorCode] => [
        changeOf({ appendTurns: [untyped(item)] }),
        'INVALID_RECORD',
      ]),
      ...[{ unknown: 1 }, { turn_id: 'x' }, { extra: { turn_id: 'x' } }].map((members): [unknown, ErrorCode] => [
        changeOf({ appendTurns: [untyped({ ...turnOf('new'), ...members })] }),
        'INVALID_RECORD',
      ]),
      ...[null, {}, { toAgent: 1 }, { toAgent: 'a', unknown: 1 }, { toAgent: 'a', extra: { to_agent: 'b' } }].map(
        (item): [unknown, ErrorCode] => [changeOf({ appendAgentTransitions: [untyped(item)] }), 'INVALID_RECORD'],
      ),
      ...[
        null,
        {},
        { turnId: 1 },
        { turnId: 't1', status: 'x' },
        { turnId: 't1', putToolCalls: {} },
        { turnId: 't1', ifStatus: null },
        { turnId: 't1', ifStatus: 1 },
      ].map((item): [unknown, ErrorCode] => [changeOf({ updateTurns: [untyped(item)] }), 'INVALID_ARGUMENT']),
      ...[null, 1, 'true', 'yes', {}].map((replace): [unknown, ErrorCode] => [
        changeOf({ updateTurns: [{ turnId: 't1', putToolCalls: [untyped({ toolName: 'x', replace })] }] }),
        'INVALID_ARGUMENT',
      ]),
      ...[null, 1, 'true'].map((reopen): [unknown, ErrorCode] => [
        changeOf({ reopen: untyped(reopen) }),
        'INVALID_ARGUMENT',
      ]),
      ...[
        { turnId: 't2' },
        { toolCalls: [] },
        { prompt: 1 },
        { prompt: null },
        { status: null },
        { metadata: [] },
        { unknown: 1 },
        { auditEventIds: [1] },
        { extra: { turn_id: 't2' } },
        { extra: { prompt: 'x' } },
        null,
      ].map((set): [unknown, ErrorCode] => [
        changeOf({ updateTurns: [{ turnId: 't1', set: untyped(set) }] }),
        'INVALID_RECORD',
      ]),
      ...[
        {},
        null,
        { toolName: 1 },
        { callId: 1, toolName: 'x' },
        { toolName: 'x', durationMs: '1' },
        { toolName: 'x', unknown: 1 },
        { toolName: 'x', extra: { call_id: 'y' } },
        { toolName: 'x', Replace: true },
      ].map((call): [unknown, ErrorCode] => [
        changeOf({ updateTurns: [{ turnId: 't1', putToolCalls: [untyped(call)] }] }),
        'INVALID_RECORD',
      ]),
    ]
    for (const [change, code] of wrong) {
      const what = `changeSession with ${show(change)}`
      await refuses(() => store.changeSession('s', untyped(change)), code, what)
      await refuses(() => store.changeSession('none', untyped(change)), code, `${what}, without a session`)
    }
    same(await store.loadSession('s'), fullSession('s'), 'the session after that')
  })

  it('values', 'a save refuses invalid records', async ({ store }) => {
    const record = (members: Record<string, unknown>): unknown => ({ ...sessionOf('s'), ...members })
    const turn = (members: Record<string, unknown>): unknown => record({ turns: [{ ...turnOf('t'), ...members }] })
    const call = (members: Record<string, unknown>): unknown =>
      turn({ toolCalls: [{ ...toolCallOf('c'), ...members }] })
    const wrong = [
      undefined,
      null,
      'x',
      1,
      [],
      {},
      { session_id: 's' },
      record({ unknown: 1 }),
      record({ workspace_id: 'w' }),
      record({ turn: [] }),
      record({ workspaceId: undefined }),
      record({ [Symbol('x')]: 1 }),
      record({ createdAt: 1 }),
      record({ createdAt: new Date(0) }),
      record({ turns: 'x' }),
      record({ turns: null }),
      record({ turns: [null] }),
      record({ turns: [{}] }),
      record({ turns: Array(1) }),
      record({ agentTransitions: [{}] }),
      record({ metadata: [] }),
      record({ metadata: null }),
      record({ metadata: 'x' }),
      record({ agentId: 1 }),
      turn({ turnId: 1 }),
      turn({ prompt: 1 }),
      turn({ prompt: null }),
      turn({ responseContent: 1 }),
      turn({ status: null }),
      turn({ unknown: 1 }),
      turn({ auditEventIds: 'x' }),
      turn({ auditEventIds: [1] }),
      turn({ auditEventIds: Array(1) }),
      turn({ toolCalls: {} }),
      turn({ toolCalls: Array(1) }),
      call({ toolName: undefined }),
      call({ toolName: 1 }),
      call({ arguments: [] }),
      call({ durationMs: '1' }),
      call({ durationMs: Number.NaN }),
      call({ unknown: 1 }),
      call({ durationMs: Number.POSITIVE_INFINITY }),
      ...['session_id', 'turns', 'schema_version', 'revision'].map(key => record({ extra: { [key]: 1 } })),
      turn({ extra: { turn_id: 'x' } }),
      turn({ extra: [] }),
      call({ extra: { call_id: 'x' } }),
      record({ agentTransitions: [{ toAgent: 'a', extra: { to_agent: 'b' } }] }),
      record({ agentTransitions: [{ toAgent: 'a', unknown: 1 }] }),
    ]
    for (const session of wrong) {
      await refuses(() => store.saveSession(untyped(session)), 'INVALID_RECORD', `saveSession of ${show(session)}`)
    }
    same(await store.listSessions(), [], 'sessions after that')
  })

  it('ids', 'a call without a session id is refused, and never means all sessions', async ({ store }) => {
    await store.saveSession(fullSession('s'))
    for (const name of methodsOfOneSession.filter(name => name !== 'saveSession')) {
      await fails(() => methods[name].call(store, untyped(undefined)), 'INVALID_ID', `${name}(undefined)`)
    }
    same(await store.listSessions(), ['s'], 'sessions after that')
  })
}

function withItems(range: object): object {
  return { list: 'items', ...range }
}
