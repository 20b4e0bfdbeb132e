import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor } from '../../src/queries/cursor.ts'
import { createSession } from '../../src/records/factories.ts'
import { type SessionSummary, summaryOf } from '../../src/records/models.ts'
import { pageOfSummaries } from '../../src/queries/page.ts'
import { readQuery } from '../../src/queries/query.ts'
import { readTurnRange, resolveTurnRange } from '../../src/queries/turn-range.ts'

const invalid: unknown = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
const summary = (sessionId: string, updatedAt: string): SessionSummary =>
  summaryOf(createSession({ sessionId, updatedAt, createdAt: '' }))

describe('a cursor', () => {
  const query = readQuery({ metadata: { a: 1, b: null } })
  const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(text => /^[^\p{Cc}]+$/u.test(text))
  const position = fc.record(
    {
      time: fc.constantFrom('', '2024-05-15T15:02:00.000001Z'),
      sessionId: fc.oneof(id, fc.constantFrom('.', 'a.b', '%', '../x')),
    },
    { noNullPrototype: true },
  )

  it('round-trips its position', () => {
    fc.assert(
      fc.property(position, place => {
        expect(decodeCursor(encodeCursor(place, query), query)).toStrictEqual(place)
      }),
    )
  })

  it('is refused if it was truncated or modified', () => {
    fc.assert(
      fc.property(position, fc.nat(), (place, at) => {
        const cursor = encodeCursor(place, query)
        const cut = at % cursor.length
        expect(() => decodeCursor(cursor.slice(0, cut), query)).toThrow(invalid)
        expect(() => decodeCursor(`${cursor.slice(0, cut)}~${cursor.slice(cut + 1)}`, query)).toThrow(invalid)
      }),
    )
  })

  it('accepts another limit and another order of keys, but no other query', () => {
    const cursor = encodeCursor({ time: '', sessionId: 's' }, query)
    expect(readQuery({ metadata: { b: null, a: 1 }, limit: 7, cursor }).after?.sessionId).toBe('s')
    for (const other of [
      {},
      { metadata: { a: 1 } },
      { metadata: { a: '1', b: null } },
      { metadata: { a: 1, b: null }, order: 'asc' },
    ]) {
      expect(() => readQuery({ ...other, cursor })).toThrow(invalid)
    }
  })
})

describe('a page', () => {
  const sessions = ['c', 'a', 'b'].map(id => summary(id, '2024-05-15T15:02:00Z'))

  it('has a null cursor only at the end', async () => {
    expect((await pageOfSummaries(readQuery({ limit: 3 }), sessions)).cursor).toBe(null)
    const first = await pageOfSummaries(readQuery({ limit: 2 }), sessions)
    expect(first.sessions.map(({ sessionId }) => sessionId)).toStrictEqual(['c', 'b'])
    const rest = await pageOfSummaries(readQuery({ limit: 2, cursor: first.cursor }), sessions)
    expect([rest.sessions.map(({ sessionId }) => sessionId), rest.cursor]).toStrictEqual([['a'], null])
  })

  it('sorts invalid times first, and omits them if the query filters by time', async () => {
    const mixed = [...sessions, summary('x', ''), summary('y', 'soon')]
    const ids = async (query: object): Promise<string> =>
      (await pageOfSummaries(readQuery(query), mixed)).sessions.map(({ sessionId }) => sessionId).join('')
    expect(await ids({ order: 'asc' })).toBe('xyabc')
    expect(await ids({})).toBe('cbayx')
    expect(await ids({ updatedBefore: '2030-01-01T00:00Z' })).toBe('cba')
  })
})

describe('a range of turns', () => {
  it.each<[object, number, number]>([
    [{}, 0, 5],
    [{ last: 2 }, 3, 5],
    [{ last: 9 }, 0, 5],
    [{ last: 0 }, 5, 5],
    [{ from: 2, limit: 2 }, 2, 4],
    [{ from: 9 }, 5, 5],
    [{ turnId: 't1' }, 1, 2],
    [{ turnId: 'none' }, 5, 5],
    [{ from: 1, limit: Number.MAX_SAFE_INTEGER }, 1, 5],
  ])('%j of five turns resolves to [%i, %i)', (range, first, end) => {
    const lastIndexOf = (turnId: string): number => ['t0', 't1', 't2', 't3', 't4'].indexOf(turnId)
    expect(resolveTurnRange(readTurnRange(range), 5, lastIndexOf)).toStrictEqual({ first, end })
  })

  it.each([
    null,
    'last',
    { last: -1 },
    { last: 1.5 },
    { limit: 0 },
    { last: 1, from: 1 },
    { turnId: 1 },
    { first: 1 },
    Object.create({ last: 1 }),
  ])('cannot be %j', range => {
    expect(() => readTurnRange(range)).toThrow(invalid)
  })
})
