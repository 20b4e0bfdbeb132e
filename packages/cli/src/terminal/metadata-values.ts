import type { JsonValue } from '@turnstore/core'
import { isJsonValue } from '@turnstore/core/adapter'
import { UsageError } from './cli.js'

/** A value that a query compares. */
type PlainValue = string | number | boolean | null

/*
 * Not parsers of commander, whose messages would repeat the text: it holds a value of metadata.
 */

/**
 * Reads `key=text` or `key:=json`. The key ends at the first `=`.
 * @param what the option or argument, for messages
 */
export function readAssignment(what: string, text: string): readonly [key: string, value: JsonValue] {
  const equals = text.indexOf('=')
  const isJson = equals > 0 && text[equals - 1] === ':'
  const key = text.slice(0, Math.max(0, isJson ? equals - 1 : equals))
  if (key === '') {
    throw new UsageError(`${what} must be key=text, or key:=json for a number, true, false, null or other JSON`)
  }
  const value = text.slice(equals + 1)
  return [key, isJson ? readJson(what, key, value) : value]
}

/** The same for values that sessions are searched by. */
export function readConditions(what: string, texts: readonly string[]): Record<string, PlainValue> {
  const conditions = texts.map(text => {
    const [key, value] = readAssignment(what, text)
    if (typeof value !== 'object' || value === null) return [key, value] as const
    throw new UsageError(`${what} ${key} must be a text, or with := a number, true, false or null`)
  })
  return Object.fromEntries(conditions)
}

function readJson(what: string, key: string, text: string): JsonValue {
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonValue(value)) return value
  } catch {
    // The message of JSON.parse would quote the text.
  }
  throw new UsageError(
    `${what} must be key=text or key:=json, and ${key}:= has no JSON after it, such as 3, true or '["a"]'`,
  )
}
