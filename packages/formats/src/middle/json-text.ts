import type { JsonValue } from '@turnstore/core'
import { isJsonValue } from '@turnstore/core/adapter'

/** The value in a text of JSON. Undefined if it is none. */
export function parseJsonText(text: string): JsonValue | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonValue(value) ? value : undefined
  } catch {
    return undefined
  }
}
