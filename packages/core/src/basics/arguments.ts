import { TurnstoreError } from './errors.js'
import { isPlain } from './json.js'
import { quote } from './text.js'

/** Without this check, a Map or a promise that was not awaited would count as an empty object. */
export const NOTHING_OF_ITS_OWN = 'is a class instance without own members; if it is a promise, await it'

/**
 * Copies an object and refuses unknown members. Ignoring a misspelt one could drop a tenant or a condition.
 * @throws `INVALID_ARGUMENT`
 */
export function readObject(source: unknown, what: string, known: readonly string[]): Record<string, unknown> {
  checkMembers(source, what, known)
  return { ...source }
}

/** @throws `INVALID_ARGUMENT` */
export function checkMembers(source: unknown, what: string, known: readonly string[]): asserts source is object {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be an object`)
  }
  const keys = Object.getOwnPropertyNames(source)
  // Two calls, because Reflect.ownKeys costs several times as much.
  const [symbol] = Object.getOwnPropertySymbols(source)
  const unknown = keys.find(key => !known.includes(key)) ?? symbol
  if (unknown !== undefined) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      `${what} has no member ${quote(String(unknown))}; known members: ${known.join(', ')}`,
    )
  }
  const inherited = known.find(name => name in source && !Object.hasOwn(source, name))
  if (inherited !== undefined) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      `${what} inherits ${inherited}; only own members are read, so spread the object first`,
    )
  }
  if (keys.length === 0 && !isPlain(source)) {
    throw new TurnstoreError('INVALID_ARGUMENT', `${what} ${NOTHING_OF_ITS_OWN}`)
  }
}

/** @throws `INVALID_ARGUMENT` */
export function readFlag(value: unknown, what: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be true or false`)
}

/** @throws `INVALID_ARGUMENT` */
export function wholeNumber(
  value: unknown,
  what: string,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
    throw new TurnstoreError('INVALID_ARGUMENT', `${what} must be a whole number ${bounds}`)
  }
  return value
}
