import { describe, expect, it } from 'vitest'
import { endOfPiece, fold, joiner } from '../../src/search/fold.ts'

const points = Array.from({ length: 0x110000 }, (_, point) => point)

/** What the contract says, code point by code point. */
function slowly(text: string): string {
  return Array.from(text.normalize('NFKC'), point => (point === 'ς' ? 'σ' : point.toLowerCase())).join('')
}

describe('Folding', () => {
  it('is NFKC and then lower case, for each code point in each place of a word', () => {
    const wrong = points.filter(point => {
      const character = String.fromCodePoint(point)
      const text = `ΑΣ${character}Σ a${character}`
      return fold(text) !== slowly(text)
    })
    expect(wrong).toEqual([])
  })

  it('of a text is that of its pieces, as only what may join with the character before it stays with it', () => {
    // What a canonical composition can begin with, after the first of two.
    const seconds = new Set(
      points.flatMap(point => {
        const composed = String.fromCodePoint(point)
        return composed.normalize('NFD') === composed ? [] : Array.from(composed.normalize('NFD')).slice(1)
      }),
    )
    const missing = points.filter(point => {
      const character = String.fromCodePoint(point)
      const [first = ''] = Array.from(character.normalize('NFKD'))
      return (seconds.has(first) || /\p{M}/u.test(first)) && !joiner.test(character)
    })
    expect(missing.map(point => point.toString(16))).toEqual([])
  })

  it.each(['e\u0301'.repeat(99), 'ｶﾞ'.repeat(99), 'ㄱㅏ'.repeat(99), '각'.normalize('NFD').repeat(99), '👨‍👩‍👧'.repeat(99)])(
    'cuts no character in two (%#)',
    text => {
      for (const units of [1, 2, 3, 7]) {
        const pieces: string[] = []
        for (let from = 0; from < text.length;) {
          const end = endOfPiece(text, from, units)
          pieces.push(fold(text.slice(from, end)))
          from = end
        }
        expect(pieces.join('')).toBe(fold(text))
      }
    },
  )
})
