import assert from 'node:assert/strict'
import { inspect, isDeepStrictEqual } from 'node:util'
import { cut } from './texts.js'
import { type ErrorCode, isTurnstoreError, type TurnstoreError, type WriteOutcome } from '@turnstore/core'

/** Asserts deep, strict equality. A failure names only the first difference. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  const { path, mine, theirs } = firstDifference(actual, expected, '')
  // With another operator, Node would append a comparison of the complete values to the message.
  const message = `${what}${path === '' ? '' : `, at ${path}`}: expected ${show(theirs)}, got ${show(mine)}`
  throw new assert.AssertionError({ message, actual, expected, operator: 'same' })
}

/** Describes the first difference between two values. */
export function differenceOf(actual: unknown, expected: unknown): string {
  const { path, mine, theirs } = firstDifference(actual, expected, '')
  return `${show(theirs)} at ${path}, not ${show(mine)}`
}

export function holds(condition: boolean, what: string): void {
  if (!condition) fail(what)
}

export function fail(what: string): never {
  return assert.fail(what)
}

interface Expected {
  outcome?: WriteOutcome
  sessionId?: string
  actualRevision?: number
}

/** Asserts that a call rejects with a code, and returns the error. Throwing synchronously is a failure too. */
export async function fails(
  call: () => Promise<unknown>,
  code: ErrorCode,
  what: string,
  expected: Expected = {},
): Promise<TurnstoreError> {
  let promise: Promise<unknown>
  try {
    promise = call()
  } catch (error) {
    return fail(`${what}: expected a rejection with ${code}, but the call threw ${nameOf(error)} synchronously`)
  }
  const error = await promise.then(
    value => fail(`${what}: expected ${code}, but it succeeded with ${show(value)}`),
    (error: unknown) => error,
  )
  if (error instanceof assert.AssertionError) throw error
  if (!isTurnstoreError(error, code)) return fail(`${what}: expected ${code}, got ${nameOf(error)}`)
  for (const [name, value] of Object.entries(expected)) {
    same(Reflect.get(error, name), value, `${what}: the ${name} of ${code}`)
  }
  return error
}

/** Asserts that a write is refused with a code and the outcome `not-stored`. */
export function refuses(
  call: () => Promise<unknown>,
  code: ErrorCode,
  what: string,
  expected: Omit<Expected, 'outcome'> = {},
): Promise<TurnstoreError> {
  return fails(call, code, what, { ...expected, outcome: 'not-stored' })
}

/** Asserts that a value is not null. */
export function present<T>(value: T | null | undefined, what: string): T {
  return value ?? fail(`${what}: expected a value, got ${show(value)}`)
}

export function show(value: unknown): string {
  const text = inspect(value, {
    depth: 4,
    breakLength: Infinity,
    compact: true,
    maxStringLength: 120,
    maxArrayLength: 12,
  })
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}

export function nameOf(error: unknown): string {
  if (isTurnstoreError(error)) {
    const { cause } = error
    const because = cause instanceof Error ? ` (cause: ${cut(cause.message, 500)})` : ''
    return `${error.code}: ${cut(error.message, 1000)}${because}`
  }
  return error instanceof Error ? `${error.name}: ${cut(error.message, 1000)}` : show(error)
}

function firstDifference(
  mine: unknown,
  theirs: unknown,
  path: string,
): { path: string; mine: unknown; theirs: unknown } {
  if (isObject(mine) && isObject(theirs) && Array.isArray(mine) === Array.isArray(theirs)) {
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
      const [left, right] = [ownMember(mine, key), ownMember(theirs, key)]
      const there = Object.hasOwn(mine, key) && Object.hasOwn(theirs, key)
      const step = Array.isArray(mine) ? `[${key}]` : `.${key}`
      if (!there) return { path: path + step, mine: orMissing(mine, key), theirs: orMissing(theirs, key) }
      if (!isDeepStrictEqual(left, right)) return firstDifference(left, right, path + step)
    }
  }
  return { path, mine, theirs }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function ownMember(source: object, key: string): unknown {
  return Object.hasOwn(source, key) ? Reflect.get(source, key) : undefined
}

function orMissing(source: object, key: string): unknown {
  return Object.hasOwn(source, key) ? Reflect.get(source, key) : missing
}

const missing = { [inspect.custom]: () => 'nothing' }
