import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, isJsonValue } from '@turnstore/core/adapter'

/*
 * Python writes integers of any size, JavaScript has 53 bits. What a document holds beyond them is
 * kept as the text that it was, with JSON.rawJSON (ES2026, in Node since 22), as long as it is only
 * passed on from one document to the next; who loads a session gets the nearest number.
 */

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown

const parseWith: (text: string, reviver: Reviver) => unknown = JSON.parse

const rawJson: unknown = Reflect.get(JSON, 'rawJSON')

/** Digits enough for an integer that may not fit, or an exponent that may overflow. Matches in strings do no harm. */
const SUSPECT = /\d{16}|\d[eE]\+?\d{3}/

/**
 * JSON.parse with integers beyond 2^53 kept as they are written.
 * @throws SyntaxError for what is no JSON, and for a number like 1e400 that no double holds
 */
export function parseExactly(text: string): { value: unknown; hasBigIntegers: boolean } {
  if (!SUSPECT.test(text)) return { value: JSON.parse(text), hasBigIntegers: false }
  let hasBigIntegers = false
  const value = parseWith(text, (_key, member, context) => {
    if (typeof member !== 'number') return member
    if (!Number.isFinite(member)) throw new SyntaxError('a number that no double holds')
    const source = context?.source
    // What JavaScript writes back as it stands is in no danger.
    if (source !== undefined && /^-?\d{16,}$/.test(source) && String(member) !== source) {
      hasBigIntegers = true
      return raw(source) ?? member
    }
    return member
  })
  return { value, hasBigIntegers }
}

/** JSON.parse reads 1e400 as Infinity, which it would write as null. */
export function mayHoldInfinity(text: string): boolean {
  return /\d[eE]\+?\d{3}/.test(text)
}

/** Whether big integers survive at all. */
export const keepsBigIntegers: boolean = typeof rawJson === 'function'

function raw(source: string): JsonValue | undefined {
  if (typeof rawJson !== 'function') return undefined
  const value: unknown = Reflect.apply(rawJson, JSON, [source])
  return isJsonValue(value) ? value : undefined
}

/** JSON whose big integers, if it has some, became the nearest numbers. */
export function toPlainObject(object: JsonObject): JsonObject {
  const plain: unknown = JSON.parse(JSON.stringify(object))
  return isJsonObject(plain) ? plain : {}
}
