import { expect, it } from 'vitest'
import { createToolCall } from '../../src/index.ts'
import { snippetOf } from '../../src/search/snippet.ts'
import { readTerms } from '../../src/search/terms.ts'
import { TurnMatch } from '../../src/search/turn-match.ts'

/** A long text with a word at a place. */
const longText = (place: number, word: string): string =>
  `${'é '.repeat(place).slice(0, place)}${word}${' e\u0301'.repeat(20_000)}`

it.each([0, 1, 16_383, 16_384, 16_390, 40_000])('a word in a long text is found where pieces meet: at %i', place => {
  const terms = readTerms('"cafe\u0301 noir"', 'text')
  const match = new TurnMatch(terms)
  const text = longText(place, 'Café NOIR')
  let pauses = 0
  for (const _ of match.call(createToolCall({ toolName: 'f', result: text }), 0)) pauses++
  expect([match.isMatch, match.first?.field, pauses > 2]).toEqual([true, 'result', true])
  const { snippet, ranges } = snippetOf(text, terms)
  expect(ranges.map(([from, to]) => snippet.slice(from, to))).toEqual(['Café NOIR'])
  expect(snippet.length).toBeLessThanOrEqual(60 + 9 + 140)
})

it('a snippet marks all words, and whole characters of people', () => {
  const terms = readTerms('👧 x', 'text')
  const { snippet, ranges } = snippetOf('a 👨‍👩‍👧 b x\u0301x c', terms)
  expect(ranges.map(([from, to]) => snippet.slice(from, to))).toEqual(['👨‍👩‍👧', 'x\u0301x'])
})

it('half a character is never shown', () => {
  const text = `${'😀'.repeat(100)}x${'😀'.repeat(100)}`
  const { snippet } = snippetOf(text, readTerms('x', 'text'))
  expect(snippet.isWellFormed()).toBe(true)
})
