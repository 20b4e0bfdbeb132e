/*
 * Text as search compares it: Unicode's compatibility composition (NFKC), then lower case, with every sigma as σ. The
 * order of the two matters for some 650 code points. Lower case code point by code point is what `toLowerCase` gives
 * but for the final sigma, which both spellings become here.
 */

/** Outside of ASCII there is something to compose. */
const ascii = /^[\0-\x7f]*$/

/**
 * What may compose with the character before it: marks, vowels, and parts of Hangul syllables and of half-width kana. Text can be
 * cut before any other character, and its pieces folded one by one.
 */
export const joiner: RegExp =
  /[\p{M}\u0e33\u0eb3\u1160-\u11ff\u3131-\u318e\ud7b0-\ud7ff\uff9e-\uffdc\u{16d60}-\u{16d6f}]/u

/** Folds a text. Two texts that people take for the same have the same folded text. */
export function fold(text: string): string {
  return (ascii.test(text) ? text : text.normalize('NFKC')).toLowerCase().replaceAll('ς', 'σ')
}

/** The end of a piece of text that begins at `from` and has about so many units: folding the pieces folds the text. */
export function endOfPiece(text: string, from: number, units: number): number {
  for (let end = from + units; end < text.length; end++) {
    const unit = text.charCodeAt(end)
    const isLow = unit >= 0xdc00 && unit < 0xe000
    if (!isLow && !joiner.test(String.fromCodePoint(text.codePointAt(end) ?? 0))) return end
  }
  return text.length
}

/** The shortest pieces of a text: each is folded by itself. */
export function* unitsOf(text: string, from: number, to: number): Generator<{ start: number; end: number }> {
  for (let start = from; start < to;) {
    const end = endOfPiece(text, start, 1)
    yield { start, end }
    start = end
  }
}
