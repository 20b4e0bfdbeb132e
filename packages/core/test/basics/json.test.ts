import fc from 'fast-check'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import {
  cloneJson,
  copyJson,
  type JsonValue,
  NotJson,
  sameJson,
  SizeBudget,
  OverBudget,
} from '../../src/basics/json.ts'

const copy = (value: unknown, maxDepth = 128, limit = 1e6): JsonValue =>
  copyJson(value, maxDepth, new SizeBudget(limit))
const json = fc.jsonValue().map(value => copy(value))

/** The path and reason of the refusal of a value. */
function refusal(value: unknown): [path: string, reason: string] {
  try {
    copy(value)
  } catch (error) {
    if (error instanceof NotJson) return [error.path.join('/'), error.message]
    throw error
  }
  throw new Error('it was taken')
}

describe('copying JSON', () => {
  it('equals a round trip through JSON.stringify and JSON.parse, and shares nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        const result = copy(value)
        expect(result).toStrictEqual(JSON.parse(JSON.stringify(value)))
        expect(typeof result !== 'object' || result === null || result !== value).toBe(true)
      }),
    )
  })

  it('converts -0 to 0 and omits undefined members', () => {
    expect(copy({ a: -0, b: undefined, c: { d: undefined } })).toStrictEqual({ a: 0, c: {} })
    expect(Object.is(copy(-0), 0)).toBe(true)
  })

  it('accepts objects without a prototype and from another realm', () => {
    expect(copy(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
    expect(copy(runInNewContext('({ a: [{ b: 1 }] })'))).toStrictEqual({ a: [{ b: 1 }] })
  })

  it('keeps __proto__ as data without prototype pollution', () => {
    const result = copy(JSON.parse('{"a":{"__proto__":{"admin":true}}}'))
    expect(JSON.stringify(result)).toBe('{"a":{"__proto__":{"admin":true}}}')
    expect('admin' in {}).toBe(false)
    expect(JSON.stringify(cloneJson(result))).toBe(JSON.stringify(result))
  })

  it('keeps lone surrogates', () => {
    expect(copy({ '\ud800': '\udfff' })).toStrictEqual({ '\ud800': '\udfff' })
  })

  class Money {
    amount = 1
  }
  it.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['infinity', Number.NEGATIVE_INFINITY],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a Date', new Date(0)],
    ['an instance', new Money()],
    ['a Buffer', Buffer.from('x')],
    ['a boxed string', Object('x')],
    ['a hole', Array(1)],
    ['undefined in an array', [undefined]],
    ['an array with a named member', Object.assign([1], { a: 1 })],
    ['a symbol key', { [Symbol('x')]: 1 }],
    ['toJSON', { toJSON: () => 1 }],
    ['an object with another prototype', Object.create({ a: 1 })],
  ])('refuses %s and reports its path', (_name, value) => {
    expect(refusal({ list: [0, { 'a b': value }] })[0]).toMatch(/^list\/1\/a b/)
  })

  it('refuses cycles', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = [cycle]
    expect(refusal(cycle)[1]).toMatch(/cycle|deeper/)
  })

  it('accepts the same object twice, which is not a cycle', () => {
    const shared = { a: 1 }
    expect(copy([shared, shared])).toStrictEqual([{ a: 1 }, { a: 1 }])
  })

  it('reveals nothing of the error that a getter or a Proxy throws', () => {
    const thrower = (): never => {
      throw new Error('secret')
    }
    const getter = Object.defineProperty({}, 'x', { enumerable: true, get: thrower })
    expect(refusal({ a: getter })).toStrictEqual(['a/x', 'threw when it was read'])
    expect(refusal({ a: new Proxy({}, { ownKeys: thrower }) })).toStrictEqual(['a', 'threw when it was read'])
    expect(refusal({ a: new Proxy([], { get: thrower }) })[1]).toBe('threw when it was read')
  })

  it('reads each member once, so that it cannot change between the check and the store', () => {
    let reads = 0
    const value = Object.defineProperty({}, 'x', { enumerable: true, get: () => (++reads === 1 ? 'first' : () => 1) })
    expect(copy(value)).toStrictEqual({ x: 'first' })
  })

  it('accepts depth 128 and refuses 129 and a million', () => {
    expect(() => copy(nested(128))).not.toThrow()
    expect(refusal(nested(129))[1]).toBe('is nested deeper than 128')
    expect(refusal(nested(1_000_000))[1]).toBe('is nested deeper than 128')
  })

  it('refuses an oversized value as soon as it exceeds the limit', () => {
    let bomb: unknown = 'x'
    for (let doubling = 0; doubling < 60; doubling++) bomb = [bomb, bomb]
    expect(() => copy(bomb)).toThrow(OverBudget)
    expect(() => copy('x'.repeat(2 ** 28))).toThrow(OverBudget)
    expect(() => copy(Array(1e9))).toThrow(OverBudget)
  })

  it('bounds the size from below and above', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        const budget = new SizeBudget(1e9)
        const length = Buffer.byteLength(JSON.stringify(copyJson(value, 128, budget)))
        expect(budget.atLeast).toBeLessThanOrEqual(length)
        expect(budget.atMost).toBeGreaterThanOrEqual(length)
      }),
    )
  })
})

describe('comparing JSON', () => {
  it('ignores the order of keys', () => {
    expect(sameJson({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 })).toBe(true)
  })

  it.each<[JsonValue, JsonValue]>([
    [1, '1'],
    [0, false],
    [null, 0],
    [[], {}],
    [
      [1, 2],
      [2, 1],
    ],
    [{ a: null }, {}],
    [{ a: 1 }, { b: 1 }],
    [[null], []],
    ['', null],
    [{}, null],
    [{ toString: 1 }, { a: 1 }],
  ])('%j and %j differ', (a, b) => {
    expect([sameJson(a, b), sameJson(b, a)]).toStrictEqual([false, false])
  })

  it('a copy is equal, a modified copy is not', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(sameJson(a, cloneJson(a))).toBe(true)
        expect(sameJson([a], [a, b])).toBe(false)
        expect(sameJson({ a, b }, { a: b, b: a })).toBe(sameJson(a, b))
      }),
    )
  })
})

function nested(depth: number): unknown {
  let value: unknown = []
  for (let level = 1; level < depth; level++) value = [value]
  return value
}
