import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeTurn } from '../../src/adapter.ts'
import { createToolCall, createTurn } from '../../src/index.ts'
import { mayMatch, readTerms } from '../../src/search/terms.ts'
import { TurnMatch } from '../../src/search/turn-match.ts'

describe('Terms', () => {
  it.each([
    ['one two', ['one', 'two']],
    ['  "one  two" three', ['one  two', 'three']],
    ['"never closed', ['never closed']],
    ['a"b c"d', ['a', 'b c', 'd']],
    ['Same same SAME', ['same']],
    ['"" x', ['x']],
    ['\u00a0x\u3000y', ['x', 'y']],
  ])('of %s', (text, folded) => {
    expect(readTerms(text, 'text').folded).toEqual(folded)
  })
})

/** Text that joins with what is around it in JSON, and what JSON escapes. */
const text = fc
  .array(
    fc.constantFrom(
      'a',
      'N',
      'n',
      'é',
      '\u0301',
      '\u0338',
      '"',
      '\\',
      '\n',
      '\u001b',
      '\ud800',
      '<',
      '=',
      '7',
      'e',
      '＂',
      '가',
      'ᆨ',
      'ﬁ',
    ),
    { maxLength: 6 },
  )
  .map(each => each.join(''))

it('JSON that cannot match has no match, whatever joins, is escaped or is a number', () => {
  const turn = fc.record({
    prompt: text,
    response: text,
    key: text,
    result: fc.oneof(text, fc.double({ noNaN: true })),
  })
  fc.assert(
    fc.property(turn, text, ({ prompt, response, key, result }, sought) => {
      fc.pre(sought.replaceAll('"', '').trim() !== '')
      const terms = readTerms(sought, 'text')
      const call = createToolCall({
        toolName: 'f',
        arguments: { [key]: response },
        result: Number.isFinite(result) ? result : '',
      })
      const record = createTurn({ turnId: 't', prompt, responseContent: response, toolCalls: [call] })
      const match = new TurnMatch(terms)
      for (const _ of match.head(record)) continue
      for (const _ of match.call(call, 0)) continue
      expect(match.isMatch && !mayMatch(terms, JSON.stringify(encodeTurn(record)))).toBe(false)
    }),
    { numRuns: 20_000 },
  )
})

it('JSON without the words is passed over', () => {
  const json = JSON.stringify(encodeTurn(createTurn({ turnId: 't', prompt: 'Where is my parcel?' })))
  expect(mayMatch(readTerms('parcel', 'text'), json)).toBe(true)
  expect(mayMatch(readTerms('depot', 'text'), json)).toBe(false)
  expect(mayMatch(readTerms('parcel depot', 'text'), json)).toBe(false)
})
