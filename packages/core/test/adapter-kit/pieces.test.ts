import { describe, expect, it } from 'vitest'
import {
  type CheckedQuery,
  FillingPage,
  IdPlaces,
  lookupsOf,
  ofSession,
  planChange,
  readStored,
  readStoredTransition,
  readStoredTurns,
  type TurnLookup,
  type TurnView,
  viewOf,
  viewOfAnswers,
} from '../../src/adapter.ts'
import { readChange } from '../../src/changes/change.ts'
import {
  applyChange,
  type JsonObject,
  type SessionChange,
  type SessionRecord,
  type SessionSummary,
  TurnstoreError,
} from '../../src/index.ts'
import { readQuery } from '../../src/queries/query.ts'
import { defaultLimits } from '../../src/records/limits.ts'

const at = '2026-01-31T12:00:00Z'

describe('IdPlaces', () => {
  it('finds the first and the last place of an id, also of one that old records have twice, and truncates', () => {
    const places = new IdPlaces()
    const ids = ['a', 'b', 'a', 'c', 'a', 'b', '__proto__']
    for (const id of ids) places.push(id)
    for (let length = ids.length; length >= 0; length--) {
      places.truncate(length)
      expect(places.length).toBe(length)
      const kept = ids.slice(0, length)
      for (const id of [...ids, 'none']) {
        expect([id, length, places.first(id)]).toEqual([id, length, kept.indexOf(id)])
        for (let before = 0; before <= length; before++) {
          expect(places.last(id, before)).toBe(kept.slice(0, before).lastIndexOf(id))
        }
      }
    }
    places.push('b')
    expect([places.first('b'), places.last('b'), places.last('a')]).toEqual([0, 0, -1])
  })
})

describe('stored JSON', () => {
  const damages: [string, () => unknown, string][] = [
    ['no JSON', () => readStoredTurns(['{"turn_id":"t"}', '{"secret'], 7), 'turn 8 is not JSON'],
    ['no text', () => readStored(null, 'the metadata', value => value), 'the metadata is not JSON'],
    [
      'another form',
      () => readStoredTurns(['{"turn_id":"t"}', '{"secret":1}'], 0),
      'turn 1 is not what was stored there',
    ],
    ['no transition', () => readStoredTransition('["secret"]', 3), 'agent transition 3 is not what was stored there'],
  ]
  it.each(damages)(
    'that cannot be read is reported with its place and without its content: %s',
    (_what, read, message) => {
      let error: unknown
      try {
        ofSession('s\u0000', read)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({
        code: 'CORRUPT_SESSION',
        sessionId: 's\u0000',
        message: `Session "s\\u0000" cannot be read: ${message}`,
      })
      expect(error).not.toHaveProperty('cause')
    },
  )

  it('of a newer format says so', () => {
    const newer = new TurnstoreError('SCHEMA_TOO_NEW', 'newer')
    const read = (): unknown =>
      ofSession('s', () =>
        readStored('{}', 'it', () => {
          throw newer
        }),
      )
    expect(read).toThrow(newer)
  })

  it('keeps an error that names a session or means something else', () => {
    for (const error of [new TurnstoreError('CORRUPT_SESSION', 'x', { sessionId: 'other' }), new TypeError('x')]) {
      const read = (): unknown =>
        ofSession('s', () => {
          throw error
        })
      expect(read).toThrow(error)
    }
  })
})

describe('FillingPage', () => {
  const query = (members: object): CheckedQuery => readQuery({ order: 'asc', ...members })
  const summary = (sessionId: string, metadata: JsonObject = {}): SessionSummary => ({
    sessionId,
    workspaceId: null,
    parentSessionId: null,
    agentId: null,
    createdAt: at,
    updatedAt: at,
    metadata,
    revision: 1,
    turnCount: 0,
    agentTransitionCount: 0,
    lastTurn: null,
  })
  const place = (sessionId: string) => ({ time: '2026-01-31T12:00:00.000000Z', sessionId })

  it('takes what matches up to the limit, and the next page begins after what it has examined', () => {
    const page = new FillingPage(query({ limit: 2, metadata: { k: 1 } }))
    for (const [id, k] of [
      ['a', 1],
      ['b', 2],
      ['c', 1],
      ['d', 2],
    ] as const) {
      expect(page.add(summary(id, { k }), place(id))).toBe(true)
    }
    expect(page.room).toBe(0)
    expect(page.add(summary('e', { k: 1 }), place('e'))).toBe(false)
    const { sessions, cursor, ...rest } = page.cut()
    expect([sessions.map(({ sessionId }) => sessionId), rest]).toEqual([['a', 'c'], {}])
    expect(query({ limit: 2, metadata: { k: 1 }, cursor }).after).toEqual(place('d'))
    expect(page.end().cursor).toBeNull()
  })

  it('shows a session once, and reports damage beside it', () => {
    const page = new FillingPage(query({ limit: 2 }))
    page.add(summary('a'), place('a'))
    page.add(summary('a'), place('b'))
    page.add({ sessionId: 'x', code: 'CORRUPT_SESSION', message: 'm' }, null)
    expect([page.has('a'), page.has('x'), page.has('b'), page.room]).toEqual([true, true, false, 1])
    const { sessions, damaged, cursor } = page.cut()
    expect(sessions).toHaveLength(1)
    expect(damaged).toEqual([{ sessionId: 'x', code: 'CORRUPT_SESSION', message: 'm' }])
    // Its own position is damaged, so the cursor is the one before.
    expect(query({ limit: 2, cursor }).after).toEqual(place('b'))
  })

  it('that examined nothing goes on after what it was told', () => {
    const page = new FillingPage(query({}))
    expect(page.cut().cursor).toBeNull()
    page.pass(place('m'))
    expect(query({ cursor: page.cut().cursor }).after).toEqual(place('m'))
  })
})

describe('what a change looks up', () => {
  const session: SessionRecord = applyChange(
    {
      sessionId: 's',
      workspaceId: null,
      parentSessionId: null,
      agentId: 'a',
      createdAt: at,
      updatedAt: at,
      turns: [],
      agentTransitions: [],
      metadata: { k: 1 },
      revision: 3,
    },
    {
      appendTurns: ['1', '2', '3'].map(turnId => ({ turnId, prompt: turnId })),
      appendAgentTransitions: ['1', '3', ''].map(turnId => ({ toAgent: 'b', turnId, transitionId: `t${turnId}` })),
      updatedAt: at,
    },
  ).session

  const changes: Omit<SessionChange, 'updatedAt'>[] = [
    { appendTurns: [{ turnId: '4' }] },
    { appendTurns: [{ turnId: '2', prompt: '2' }, { turnId: '5' }] },
    { appendTurns: [{ turnId: '2', prompt: 'other' }] },
    { keepTurns: 2, appendTurns: [{ turnId: '3', prompt: 'again' }] },
    { keepTurns: 2, appendAgentTransitions: [{ toAgent: 'c', transitionId: 't3', turnId: '1' }] },
    { keepTurns: 2, appendAgentTransitions: [{ toAgent: 'c', transitionId: 't1', turnId: '1' }] },
    { keepTurns: 9, updateTurns: [{ turnId: '3', set: { prompt: 'new' } }] },
    { keepTurns: 1, updateTurns: [{ turnId: '3', set: { prompt: 'new' } }] },
    { updateTurns: [{ turnId: '1', putToolCalls: [{ callId: 'c', toolName: 'x' }] }], setMetadata: { k: 2 } },
    {
      updateTurns: [
        { turnId: '1', removeToolCalls: ['c'], putToolCalls: [{ callId: 'c', toolName: 'x' }], removeItems: ['i'] },
      ],
    },
    {
      updateTurns: [{ turnId: '1', putItems: [{ itemId: 'i', format: 'f', value: 1 }] }],
      appendTurns: [{ turnId: '1' }],
    },
    { appendTurns: [{ turnId: '4' }], reopen: true },
    { unsetMetadata: ['k'], agentId: 'c' },
    { agentId: 'a', setMetadata: { k: 1 } },
  ]

  it.each(changes)('is all that the decision needs: %o', members => {
    const change = readChange({ ...members, updatedAt: at }, defaultLimits)
    const whole = viewOf(session)
    const { turns, before = whole.turnCount, transitionIds, metadata } = lookupsOf(change)
    // As the statements of a store answer.
    const transitions = new Map(
      transitionIds.flatMap(id => {
        const found = whole.findTransition(id)
        return found === undefined ? [] : [[id, found] as const]
      }),
    )
    const answers = {
      ...whole,
      metadata: metadata ? whole.metadata : {},
      turns: new Map(
        turns.flatMap(lookup => {
          const found = whole.findTurn(lookup.turnId, Math.min(before, whole.turnCount))
          return found === undefined ? [] : [[lookup.turnId, onlyAnswering(lookup, found)] as const]
        }),
      ),
      remembered: undefined,
      transitions,
      firstIndexes: new Map(
        [...transitions.values()].map(({ turnId }) => [turnId, whole.firstIndexOfTurn(turnId)] as const),
      ),
    }
    for (const ifRevision of [undefined, session.revision, session.revision - 1]) {
      const plan = outcomeOf(() => planChange(viewOfAnswers(answers), change, { ifRevision }))
      expect(shown(plan)).toEqual(shown(outcomeOf(() => planChange(whole, change, { ifRevision }))))
    }
  })

  /** The view of a turn that knows what was looked up, and nothing else. */
  function onlyAnswering({ parts, countsFrom, wholeIf }: TurnLookup, view: TurnView): TurnView {
    const allow = (isAllowed: boolean): void => {
      if (!isAllowed) throw new Error('was not looked up')
    }
    const { toolCalls, items } = view.partCounts
    const isWhole = wholeIf === 'any' || (wholeIf?.toolCalls === toolCalls && wholeIf.items === items)
    return {
      index: view.index,
      head: view.head,
      partCounts: view.partCounts,
      bytes: view.bytes,
      findParts: (list, id) => (allow(parts[list].includes(id)), view.findParts(list, id)),
      countFrom: (list, place) => (allow(countsFrom), view.countFrom(list, place)),
      whole: () => (allow(isWhole), view.whole()),
    }
  }

  /** Plans hold functions. */
  function shown(plan: unknown): unknown {
    return plan instanceof Error ? plan : JSON.parse(JSON.stringify(plan))
  }

  function outcomeOf(work: () => unknown): unknown {
    try {
      return work()
    } catch (error) {
      return error
    }
  }
})
