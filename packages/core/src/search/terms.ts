import { TurnstoreError } from '../basics/errors.js'
import { fold, joiner } from './fold.js'

/** One bit of a number each. */
const MOST_TERMS = 30
const LONGEST_TEXT = 1000

/** What to search for: words, and phrases in double quotes, folded. All have to be found. */
export interface Terms {
  readonly folded: readonly string[]
  /** A part of each term that stored JSON has as it is. Without any, the JSON says nothing. */
  readonly inJson: readonly string[]
}

/** @throws `INVALID_ARGUMENT`, which never quotes the text */
export function readTerms(text: unknown, what: string): Terms {
  if (typeof text !== 'string' || text.length > LONGEST_TEXT) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be a string of at most ${LONGEST_TEXT} UTF-16 units`)
  }
  const words = Array.from(text.matchAll(/"([^"]*)"?|[^\s"]+/gu), ([all, phrase]) => phrase ?? all)
  const folded = [...new Set(words.filter(word => word.trim() !== '').map(fold))]
  if (folded.length === 0 || folded.length > MOST_TERMS) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what} must have 1 to ${MOST_TERMS} words or phrases`)
  }
  return { folded, inJson: folded.flatMap(partInJson) }
}

/**
 * The longest part of a term without what JSON escapes. A mark at its beginning may be composed with the letter of an
 * escape, and a number may be written in other ways.
 */
function partInJson(term: string): string[] {
  if (/^[-+.\de]+$/u.test(term)) return []
  const parts = term
    .split(/["\\\p{Cc}\p{Cs}]/u)
    .map(part => part.replace(new RegExp(`^(?:${joiner.source})+`, 'u'), ''))
  const longest = parts.reduce((longest, part) => (part.length > longest.length ? part : longest), '')
  return longest === '' ? [] : [longest]
}

/** Above this many units, a text is examined piece by piece instead. */
const LONGEST_JSON = 65_536

/** Escapes of characters that are no control characters, as writers other than ours have them. */
const foreignEscape = /\\u(?!00[01])/

/**
 * Whether a turn may match of which this is the JSON, tool calls included. False is certain. So a store need not decode
 * turns that cannot match.
 */
export function mayMatch({ inJson }: Terms, json: string): boolean {
  if (json.length > LONGEST_JSON || foreignEscape.test(json)) return true
  const folded = fold(json)
  return inJson.every(part => folded.includes(part))
}
