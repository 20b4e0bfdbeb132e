import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isValidId } from '../../src/basics/ids.ts'
import { compareUtf8, fingerprint, quote, utf8Length } from '../../src/basics/text.ts'

const text = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1 }),
    fc.constantFrom('a', 'é', '\uffff', '😀', '\ud800', '\udc00'),
  ),
})
const wellFormed = text.filter(value => !/\p{Surrogate}/u.test(value))
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value)

it('the UTF-8 length equals the length that TextEncoder produces', () => {
  fc.assert(
    fc.property(text, value => {
      expect(utf8Length(value)).toBe(bytes(value).length)
    }),
  )
})

it('strings are ordered by their UTF-8 bytes', () => {
  const compareBytes = (a: string, b: string): number => Buffer.compare(bytes(a), bytes(b))
  fc.assert(
    fc.property(wellFormed, wellFormed, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(compareBytes(a, b))
    }),
  )
  expect(compareUtf8('😀', '\uff01')).toBeGreaterThan(0)
})

describe('quoted text', () => {
  it('escapes control characters and line breaks', () => {
    expect(quote('a\u001b[2J\n\u2028\u202e\u200b\u0085')).toBe('"a\\u001b[2J\\n\\u2028\\u202e\\u200b\\u0085"')
  })

  it('is truncated', () => {
    expect(quote('x'.repeat(1000)).length).toBeLessThan(100)
  })
})

it('fingerprints have a fixed width and differ for different texts', () => {
  const prints = Array.from({ length: 10_000 }, (_, index) => fingerprint(`text ${index}`))
  expect(new Set(prints).size).toBe(10_000)
  expect(prints.every(print => /^[0-9a-f]{16}$/.test(print))).toBe(true)
})

describe('an id', () => {
  it.each([
    'a',
    '../x',
    '__proto__',
    'x'.repeat(200),
    'é'.repeat(100),
    '😀'.repeat(50),
    ' ',
    '\u202e',
    '\u200b',
    '\ufeff',
    '\uffff',
  ])('may be %j', id => {
    expect(isValidId(id)).toBe(true)
  })

  it.each([
    '',
    'x'.repeat(201),
    'é'.repeat(101),
    '\0',
    '\u001f',
    '\u007f',
    '\u009f',
    '\ud800',
    '\udc00a',
    1,
    null,
    undefined,
    {},
    ['a'],
  ])('may not be %j', id => {
    expect(isValidId(id)).toBe(false)
  })
})

it('quoted text escapes both halves of a format character above U+FFFF', () => {
  expect(quote('a\u{E0001}b\u202E\u0007')).toBe(String.raw`"a\udb40\udc01b\u202e\u0007"`)
  expect(JSON.parse(quote('\u{E0001}\u{1D173}😀'))).toBe('\u{E0001}\u{1D173}😀')
})
