import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, isJsonValue } from '@turnstore/core/adapter'

/*
 * Python writes integers of any size; JavaScript has 53 bits. Larger integers keep their text, with
 * JSON.rawJSON (ES2026, in Node since 22), when they are copied from one document to the next. A caller that
 * loads a session gets the nearest number.
 */

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown

const parseWith: (text: string, reviver: Reviver) => unknown = JSON.parse

const rawJson: unknown = Reflect.get(JSON, 'rawJSON')

/** An integer that may not fit, or an exponent that may overflow. Matches inside strings do no harm. */
const SUSPECT = /\d{16}|\d[eE]\+?\d{3}/

/**
 * JSON.parse that keeps integers beyond 2^53 as text.
 * @throws SyntaxError for invalid JSON, and for a number beyond the range of a double, such as 1e400
 */
export function parseExactly(text: string): { value: unknown; hasBigIntegers: boolean } {
  if (!SUSPECT.test(text)) return { value: JSON.parse(text), hasBigIntegers: false }
  let hasBigIntegers = false
  const value = parseWith(text, (_key, member, context) => {
    if (typeof member !== 'number') return member
    if (!Number.isFinite(member)) throw new SyntaxError('a number beyond the range of a double')
    const source = context?.source
    // A number that JavaScript writes back unchanged is safe.
    if (source !== undefined && /^-?\d{16,}$/.test(source) && String(member) !== source) {
      hasBigIntegers = true
      return raw(source) ?? member
    }
    return member
  })
  return { value, hasBigIntegers }
}

/** JSON.parse reads 1e400 as Infinity, which JSON.stringify writes as null. */
export function mayHoldInfinity(text: string): boolean {
  return /\d[eE]\+?\d{3}/.test(text)
}

/** Whether this runtime can keep big integers. */
export const keepsBigIntegers: boolean = typeof rawJson === 'function'

function raw(source: string): JsonValue | undefined {
  if (typeof rawJson !== 'function') return undefined
  const value: unknown = Reflect.apply(rawJson, JSON, [source])
  return isJsonValue(value) ? value : undefined
}

/** The object with each big integer replaced by the nearest number. */
export function toPlainObject(object: JsonObject): JsonObject {
  const plain: unknown = JSON.parse(JSON.stringify(object))
  return isJsonObject(plain) ? plain : {}
}
