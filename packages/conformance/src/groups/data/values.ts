import type { JsonObject, JsonValue, SessionChange, SessionRecord, SessionStore } from '@turnstore/core'
import { summaryOf } from '../../histories/summary.js'
import type { Cases, Group } from '../../cases/cases.js'
import { holds, refuses, same, show } from '../../checks/expect.js'
import { hazardousNumbers, hazardousTexts } from '../../samples/hazards.js'
import { untyped } from '../../samples/methods.js'
import { changeOf, indexes, sessionOf, T0, T1, toolCallOf, transitionOf, turnOf } from '../../samples/samples.js'

/** Values that are stored unchanged, and values that are refused before anything is written. */
export const valuesGroup: Group = { title: 'Values', define }

function define({ it, thorough }: Cases): void {
  it('models', 'keeps every string unchanged, in every string member', async ({ store }) => {
    await keeps(
      store,
      hazardousTexts.filter(text => text.length < 1000),
    )
    const text = hazardousTexts.join('|')
    const turn = turnOf('t', {
      prompt: text,
      responseContent: text,
      error: text,
      status: text,
      auditEventIds: [...hazardousTexts],
      toolCalls: [toolCallOf(text, { toolName: text, status: text, error: text })],
    })
    await store.saveSession(
      sessionOf('texts', { turns: [turn], agentTransitions: [transitionOf('h', { reason: text })] }),
    )
    const appended = { ...turn, turnId: 't2', toolCalls: turn.toolCalls.map(call => ({ ...call, callId: 'c' })) }
    await store.changeSession('texts', changeOf({ appendTurns: [appended] }))
    const turns = (await store.readTurns('texts', {}))?.turns
    same(turns, [turn, appended], 'the turns')
    same((await store.loadSession('texts'))?.agentTransitions[0]?.reason, text, 'the reason of a transition')
  })

  it('models', 'keeps every number unchanged', async ({ store }) => {
    await keeps(store, [...hazardousNumbers])
    await store.saveSession(
      sessionOf('durations', {
        turns: [
          turnOf('t', {
            toolCalls: hazardousNumbers.map((durationMs, index) => toolCallOf(`c${index}`, { durationMs })),
          }),
        ],
      }),
    )
    const calls = (await store.loadSession('durations'))?.turns[0]?.toolCalls
    same(
      calls?.map(({ durationMs }) => durationMs),
      [...hazardousNumbers],
      'durations',
    )
  })

  it('values', 'converts -0 to 0 and omits undefined members, as JSON does', async ({ store }) => {
    const value = { zero: -0, list: [-0], gone: undefined, deep: { gone: undefined, here: null } }
    await store.saveSession(
      sessionOf('s', {
        metadata: untyped(value),
        turns: [turnOf('t', { toolCalls: [toolCallOf('c', { durationMs: -0 })] })],
      }),
    )
    await store.changeSession('s', changeOf({ setMetadata: untyped({ more: value, gone: undefined }) }))
    const expected = { zero: 0, list: [0], deep: { here: null } }
    const session = await store.loadSession('s')
    same(session?.metadata, { ...expected, more: expected }, 'the metadata')
    same(session?.turns[0]?.toolCalls[0]?.durationMs, 0, 'a duration of -0')
  })

  it('models', 'keeps empty and nested values: [] is not {}', async ({ store }) => {
    await keeps(store, [
      [],
      {},
      [[]],
      [{}],
      { a: [] },
      { a: {} },
      { '': '' },
      [null],
      [[], [[]], {}],
      nested(127),
      true,
      false,
      null,
    ])
  })

  it('models', 'keeps keys that have a meaning elsewhere', async ({ store }) => {
    await keeps(store, [
      JSON.parse('{"__proto__":{"admin":true}}'),
      JSON.parse('{"a":{"__proto__":null,"constructor":{"prototype":{"admin":true}}}}'),
      { constructor: 1, toString: 'x', hasOwnProperty: null, valueOf: [], length: 5 },
      { lc: 1, type: 'secret', id: ['X'] },
      { $type: 'Date', $value: '2020' },
      { __enc__: 1, $gt: '', 'a.b': 1, 'a"."b': 2, $ref: '#' },
      { 0: 'a', 1: 'b', '-1': 'c' },
      { 0: 'a', 1: 'b' },
      { 1: 'a', 2: 'b' },
      { 'x\0y': 1, '\ud800': 2, '\u2028': 3, '': 4 },
      { turn_id: 'x', turnId: 'y', schema_version: 99 },
      { k: 1, K: 2, ' k': 3, 'k ': 4, é: 5, 'e\u0301': 6 },
    ])
    await store.saveSession(sessionOf('alike'))
    const long = 'k'.repeat(300)
    const alike = ['k', 'K', ' k', 'k ', 'é', 'e\u0301', '🍣', '🍺', `${long}1`, `${long}2`]
    for (const key of alike) await store.changeSession('alike', changeOf({ setMetadata: { [key]: key } }))
    const metadata = Object.fromEntries(alike.map(key => [key, key]))
    same((await store.loadSession('alike'))?.metadata, metadata, 'keys that a store may confuse')
    holds(!('admin' in {}), 'Object.prototype was polluted')
  })

  it('models', 'keeps unknown keys with the names of its own members, and never confuses them', async ({ store }) => {
    // Known members have other names in the wire format, so the names of our objects are unknown keys there.
    const texts = ['sessionId', 'workspaceId', 'parentSessionId', 'agentId', 'createdAt', 'turnId', 'callId', 'toAgent']
    const unknown: JsonObject = { ...Object.fromEntries(texts.map(name => [name, 'x'])), turnCount: 99, toolCalls: [] }
    const names = { ...unknown, session_id: 'x', revision: 99, turns: [], metadata: { a: 1 }, prompt: 'x', extra: {} }
    const call = toolCallOf('c', { arguments: names, metadata: names, extra: unknown })
    const turn = turnOf('t', { metadata: names, extra: unknown, toolCalls: [call] })
    const agentTransitions = [transitionOf('h', { extra: unknown })]
    const session = sessionOf('s', { turns: [turn], agentTransitions, metadata: names, extra: unknown })
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the loaded session')
    const summary = summaryOf(session)
    same(await store.loadSummary('s'), summary, 'the summary')
    same((await store.querySessions()).sessions, [summary], 'what is listed')
    await store.changeSession('s', changeOf({ setMetadata: { agentId: 'y' } }))
    const changed = { ...session, metadata: { ...names, agentId: 'y' }, revision: 2, updatedAt: T1 }
    same(await store.loadSession('s'), changed, 'the session after a change of one of them')
  })

  it('values', 'keeps keys called __proto__ at the top of metadata, arguments and extra', async ({ store }) => {
    const pollution: JsonObject = untyped(
      JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'),
    )
    const session = sessionOf('s', {
      metadata: pollution,
      extra: pollution,
      turns: [
        turnOf('t', {
          metadata: pollution,
          extra: pollution,
          toolCalls: [toolCallOf('c', { arguments: pollution, metadata: pollution, extra: pollution })],
        }),
      ],
      agentTransitions: [transitionOf('h', { extra: pollution })],
    })
    await store.saveSession(session)
    same(await store.loadSession('s'), session, 'the loaded session')
    same((await store.loadSummary('s'))?.metadata, pollution, 'the metadata of the summary')
    await store.changeSession('s', changeOf({ setMetadata: { other: 1 } }))
    same((await store.loadSession('s'))?.metadata, { ...session.metadata, other: 1 }, 'after a change beside it')
    await store.changeSession('s', changeOf({ unsetMetadata: ['other', '__proto__'] }))
    same(Object.keys((await store.loadSession('s'))?.metadata ?? {}), ['constructor'], 'after it was unset')
    await store.changeSession('s', changeOf({ setMetadata: pollution }))
    same((await store.loadSession('s'))?.metadata, pollution, 'after it was set by a change')
    holds(!('admin' in {}), 'Object.prototype was polluted')
  })

  it('values', 'refuses values that JSON would change or lose, reports the path and stores nothing', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: [turnOf('t')] }))
    for (const [name, value] of lossyValues()) {
      for (const [place, write] of Object.entries(placesOf(store))) {
        const error = await refuses(
          () => write(untyped({ outer: [0, { inner: value }] })),
          'INVALID_RECORD',
          `${name} in ${place}`,
        )
        holds(
          error.message.includes('outer[1].inner'),
          `${name} in ${place}: the message must name the path outer[1].inner, not: ${error.message}`,
        )
      }
    }
    same(await store.loadSession('s'), sessionOf('s', { turns: [turnOf('t')] }), 'the session after that')
    same(await store.listSessions(), ['s'], 'sessions after that')
  })

  it('values', 'accepts values of depth 128 and refuses deeper ones, up to a million', async ({ store }) => {
    await store.saveSession(sessionOf('s', { turns: [turnOf('t')] }))
    // Counted from the value itself: `metadata` is the first of the 128 levels.
    const deepest = nested(127)
    for (const write of Object.values(placesOf(store))) await write({ a: deepest })
    const session = await store.loadSession('s')
    same(session?.metadata, { a: deepest }, 'metadata 128 deep')
    for (const depth of [128, 129, 5_000]) {
      for (const [place, write] of Object.entries(placesOf(store))) {
        await refuses(() => write({ a: nested(depth) }), 'INVALID_RECORD', `${depth + 1} deep in ${place}`)
      }
    }
    await refuses(
      () => store.changeSession('s', changeOf({ setMetadata: { a: nested(1_000_000) } })),
      'INVALID_RECORD',
      'a million deep',
    )
    same(await store.loadSession('s'), session, 'the session after that')
  })

  it(
    'values',
    'refuses records that are too large, briefly and in bounded time',
    async ({ store }) => {
      await store.saveSession(sessionOf('s', { turns: [turnOf('t')] }))
      // Each is tried only when the smaller ones are refused briefly: a store that quotes or walks what it refuses must
      // not come to a value that it cannot finish.
      const places = Object.entries(placesOf(store))
      for (const [MiBs, some] of [[17, places], [64, places.slice(0, 2)]] as const) {
        const huge = 'x'.repeat(MiBs * 1024 * 1024)
        for (const [place, write] of some)
          await refusesBriefly(() => write({ a: huge }), `a string of ${MiBs} MiB in ${place}`)
      }
      const keys: JsonObject = {}
      for (const index of indexes(20_000)) keys[`${'k'.repeat(50)}${index}`] = null
      await refusesBriefly(() => store.changeSession('s', changeOf({ setMetadata: keys })), '20,000 keys of metadata')
      await refusesBombs(value => store.changeSession('s', changeOf({ setMetadata: { a: value } })), 14)
      // A part may be sixteen times as large.
      const inTurn = (value: JsonValue) => changeOf({ appendTurns: [turnOf('new', { metadata: { a: value } })] })
      if (thorough) await refusesBombs(value => store.changeSession('s', inTurn(value)), 18)
      same(await store.loadSession('s'), sessionOf('s', { turns: [turnOf('t')] }), 'the session after that')
    },
  )

  it(
    'values',
    'counts a turn and the metadata against their limits to the byte, in UTF-8 and escaped',
    async ({ store }) => {
      await store.saveSession(sessionOf('s'))
      for (const [fill, bytes] of [
        ['é', 2],
        ['😀', 4],
        ['\0', 6],
      ] as const) {
        const room = 1024 * 1024 - '{"a":""}'.length
        const largest = { a: fill.repeat(Math.floor(room / bytes)) + 'x'.repeat(room % bytes) }
        await store.changeSession('s', changeOf({ setMetadata: largest }))
        const larger = { a: `${largest.a}x` }
        await refuses(
          () => store.changeSession('s', changeOf({ setMetadata: larger })),
          'INVALID_RECORD',
          `metadata of 1 MiB and 1 byte of ${show(fill)}`,
        )
        await refuses(
          () => store.changeSession('s', changeOf({ setMetadata: { b: 1 } })),
          'INVALID_RECORD',
          'a member beside 1 MiB of metadata',
        )
        same((await store.loadSummary('s'))?.metadata, largest, `metadata of 1 MiB of ${show(fill)}`)
        await store.changeSession('s', changeOf({ setMetadata: { b: largest.a }, unsetMetadata: ['a'] }))
        await store.saveSession(sessionOf('s', { metadata: largest }))
        const save = () => store.saveSession(sessionOf('s', { metadata: larger }))
        await refuses(save, 'INVALID_RECORD', `saving metadata of 1 MiB and 1 byte of ${show(fill)}`)
      }
    },
  )

  it('values', 'lets the head of a turn grow up to its limit, and no further', async ({ store }) => {
    // 9 MiB of UTF-8: slightly more than 7 MiB more is too large, but fewer than 16 Mi characters.
    const half = 'é'.repeat(4.5 * 1024 * 1024)
    await store.saveSession(sessionOf('s', { turns: [turnOf('t', { prompt: half })] }))
    const fill = (MiBs: number) =>
      changeOf({ updateTurns: [{ turnId: 't', set: { responseContent: 'x'.repeat(MiBs * 1024 * 1024) } }] })
    const tooLarge = [
      fill(7.0625),
      changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf('c', { result: [half, half] })] }] }),
      changeOf({ appendTurns: [turnOf('new', { prompt: half, responseContent: half })] }),
    ]
    for (const change of tooLarge)
      await refuses(() => store.changeSession('s', change), 'INVALID_RECORD', 'a head or a part larger than 16 MiB')
    same((await store.loadSummary('s'))?.revision, 1, 'the revision after that')
    const { revision } = await store.changeSession('s', fill(6.9375))
    same(revision, 2, 'the revision after a head has grown to somewhat less than 16 MiB, which every store takes')
    const [turn] = (await store.readTurns('s', { last: 1 }))?.turns ?? []
    same([turn?.prompt.length, turn?.responseContent?.length], [half.length, 6.9375 * 1024 * 1024], 'what it holds')
  })
}

/** Saves each value wherever JSON is allowed, appends a turn with it, and reads it back. */
async function keeps(store: SessionStore, values: readonly JsonValue[]): Promise<void> {
  for (const [index, value] of values.entries()) {
    const id = `s${index}`
    const turn = turnOf('t', {
      metadata: { value },
      extra: { value },
      toolCalls: [
        toolCallOf('c', {
          arguments: { value },
          result: value,
          sandboxContext: value,
          metadata: { value },
          extra: { value },
        }),
      ],
    })
    const session: SessionRecord = sessionOf(id, {
      turns: [turn],
      agentTransitions: [transitionOf('h', { extra: { value } })],
      metadata: { value },
      extra: { value },
    })
    await store.saveSession(session)
    same(await store.loadSession(id), session, `a session that holds ${show(value)}`)
    const change: SessionChange = changeOf({
      updateTurns: [
        { turnId: 't', set: { metadata: { changed: value } }, putToolCalls: [toolCallOf('d', { result: value })] },
      ],
      appendTurns: [{ ...turn, turnId: 't2' }],
      appendAgentTransitions: [transitionOf('i', { extra: { value } })],
      setMetadata: { more: value },
    })
    await store.changeSession(id, change)
    const expected = {
      ...session,
      turns: [
        { ...turn, metadata: { changed: value }, toolCalls: [...turn.toolCalls, toolCallOf('d', { result: value })] },
        { ...turn, turnId: 't2' },
      ],
      agentTransitions: ['h', 'i'].map(each => transitionOf(each, { extra: { value } })),
      metadata: { value, more: value },
      updatedAt: T1,
      revision: 2,
    }
    same(await store.loadSession(id), expected, `after a change that brings ${show(value)}`)
    same((await store.readTurns(id, { last: 1 }))?.turns, expected.turns.slice(1), `the last turn, with ${show(value)}`)
    const { metadata } = expected
    same((await store.loadSummary(id))?.metadata, metadata, `the metadata of a summary, with ${show(value)}`)
    const { sessions } = await store.querySessions({ limit: 1, updatedAfter: T0 })
    same(sessions[0]?.metadata, metadata, `the metadata in a listing, with ${show(value)}`)
    await store.saveSession({ ...expected, updatedAt: T0 })
  }
}

/** The ways to store a caller's JSON in session `s`, which has a turn `t`. */
function placesOf(store: SessionStore): Record<string, (value: JsonObject) => Promise<unknown>> {
  let turns = 0
  return {
    'metadata of a change': value => store.changeSession('s', changeOf({ setMetadata: value })),
    'metadata of a turn': value =>
      store.changeSession('s', changeOf({ appendTurns: [turnOf(`m${turns++}`, { metadata: value })] })),
    'extra of a turn': value =>
      store.changeSession('s', changeOf({ appendTurns: [turnOf(`e${turns++}`, { extra: value })] })),
    'arguments of a tool call': value =>
      store.changeSession(
        's',
        changeOf({ updateTurns: [{ turnId: 't', putToolCalls: [toolCallOf('c', { arguments: value })] }] }),
      ),
    'result of a tool call': value =>
      store.changeSession(
        's',
        changeOf({ appendTurns: [turnOf(`r${turns++}`, { toolCalls: [toolCallOf('c', { result: value })] })] }),
      ),
    'metadata of an update': value =>
      store.changeSession('s', changeOf({ updateTurns: [{ turnId: 't', set: { metadata: value } }] })),
    'extra of a transition': value =>
      store.changeSession('s', changeOf({ appendAgentTransitions: [transitionOf(null, { extra: value })] })),
    'metadata of a record': value =>
      store.saveSession(sessionOf('other', { metadata: value })).then(() => store.deleteSession('other')),
    'extra of a record': value =>
      store.saveSession(sessionOf('other', { extra: value })).then(() => store.deleteSession('other')),
  }
}

function lossyValues(): [name: string, value: unknown][] {
  const cycle: unknown[] = []
  cycle.push({ cycle })
  class Money {
    amount = 1
  }
  return [
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a Date', new Date(0)],
    ['a RegExp', /x/],
    ['a typed array', new Uint8Array(2)],
    ['an error', new Error('x')],
    ['an instance', new Money()],
    ['a cycle', cycle],
    ['undefined in an array', [undefined]],
    ['a hole in an array', Array(2)],
    ['an array with a named member', Object.assign([1], { name: 1 })],
    ['a symbol as a key', { [Symbol('x')]: 1 }],
    ['an object with toJSON', { toJSON: () => 1 }],
    ['a getter that throws', Object.defineProperty({}, 'x', { enumerable: true, get: thrower })],
    ['a Proxy that throws', new Proxy({}, { ownKeys: thrower })],
    ['a promise', Promise.resolve(1)],
  ]
}

function thrower(): never {
  throw new Error('thrown by the value')
}

/** Asserts that a write is refused with a message that does not grow with what it refuses. Returns the time it takes. */
async function refusesBriefly(call: () => Promise<unknown>, what: string): Promise<number> {
  const started = performance.now()
  const { message } = await refuses(call, 'INVALID_RECORD', what)
  holds(message.length < 10_000, `${what}: the message of the error has ${message.length} characters`)
  return performance.now() - started
}

/**
 * Values that share their parts and have 2^n of them when they are written out, up to 2^34. To refuse one must not take
 * longer than to refuse the one before it, which was too large already.
 */
async function refusesBombs(write: (value: JsonValue) => Promise<unknown>, smallest: number): Promise<void> {
  let before = Infinity
  for (const doublings of [smallest, smallest + 2, 20, 22, 24, 26, 28, 30, 34]) {
    const what = `a value that shares its parts and has 2^${doublings} of them when it is written out`
    const most = 2 * before + 1000
    let taken = await refusesBriefly(() => write(bomb(doublings)), what)
    // Once more, since the machine may have been busy.
    if (taken > most && taken < 5_000) taken = Math.min(taken, await refusesBriefly(() => write(bomb(doublings)), what))
    holds(taken <= most, `${what} is refused after ${taken.toFixed(0)} ms; a smaller one after ${before.toFixed(0)} ms`)
    before = taken
  }
}

/** Nested arrays of this depth. */
function nested(depth: number): JsonValue {
  let value: JsonValue = []
  for (let level = 1; level < depth; level++) value = [value]
  return value
}

/** Small in memory, since its parts are shared; 2^n times 66 bytes as JSON. */
function bomb(doublings: number): JsonValue {
  let value: JsonValue = 'x'.repeat(64)
  for (let level = 0; level < doublings; level++) value = [value, value]
  return value
}
