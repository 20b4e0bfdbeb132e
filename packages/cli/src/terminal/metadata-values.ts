import type { JsonValue } from '@turnstore/core'
import { isJsonValue } from '@turnstore/core/adapter'
import { InvalidArgumentError } from 'commander'

/** A value that a query compares. */
export type PlainValue = string | number | boolean | null

/** Reads `key=text` or `key:=json`. The key ends at the first `=`. Its value never gets into a message. */
export function readAssignment(text: string): readonly [key: string, value: JsonValue] {
  const equals = text.indexOf('=')
  const isJson = equals > 0 && text[equals - 1] === ':'
  const key = text.slice(0, isJson ? equals - 1 : equals)
  if (equals < 1 || key === '') {
    throw new InvalidArgumentError('It must be key=text, or key:=json for a number, true, false, null or other JSON.')
  }
  const value = text.slice(equals + 1)
  return [key, isJson ? readJson(key, value) : value]
}

/** The same for a value that sessions are searched by. */
export function readCondition(text: string): readonly [key: string, value: PlainValue] {
  const [key, value] = readAssignment(text)
  if (typeof value === 'object' && value !== null) {
    throw new InvalidArgumentError('Sessions can be found by a text, a number, true, false or null.')
  }
  return [key, value]
}

function readJson(key: string, text: string): JsonValue {
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonValue(value)) return value
  } catch {
    // The message of JSON.parse would quote the text.
  }
  throw new InvalidArgumentError(`What follows ${key}:= must be JSON, such as 3, true or '["a"]'.`)
}
