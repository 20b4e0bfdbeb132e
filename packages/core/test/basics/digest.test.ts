import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { copyJson, SizeBudget } from '../../src/basics/json.ts'
import { canonicalJson, digestOf, sha256 } from '../../src/basics/digest.ts'

it('sha256 is the one of node:crypto, at every length of a last block', () => {
  for (let length = 0; length <= 200; length++) {
    const text = 'aé😀\n'.repeat(length).slice(0, length)
    expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'))
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5000 }), text => {
      expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'))
    }),
  )
})

it('canonical JSON is JSON with sorted keys', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: { 10: true, 9: 0 } })).toBe(
    '{"a":{"10":true,"9":0},"b":[1,{"c":"x","d":null}]}',
  )
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const plain = copyJson(value, 1000, new SizeBudget(Infinity))
      expect(JSON.parse(canonicalJson(plain))).toEqual(plain)
    }),
  )
})

it('a digest ignores the order of keys and nothing else', () => {
  expect(digestOf({ a: 1, b: { c: 2, d: 3 } })).toBe(digestOf({ b: { d: 3, c: 2 }, a: 1 }))
  const others = [{ a: 1 }, { a: '1' }, { a: [1] }, { a: 1, b: null }, ['a', 1], 'a', null, {}, []]
  expect(new Set(others.map(digestOf)).size).toBe(others.length)
  expect(digestOf({ a: 1 })).toMatch(/^[0-9a-f]{32}$/)
})
