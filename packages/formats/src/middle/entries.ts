import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Conversation } from './dialect.js'

/** The objects of a list. Null if it is none, or has anything else. */
export function objectsOf(value: unknown): JsonObject[] | null {
  if (!Array.isArray(value) || value.length === 0) return null
  const objects = value.filter(isJsonObject)
  return objects.length === value.length ? objects : null
}

/** The objects of a list, or the one object that stands alone. */
export function oneOrMore(value: unknown): JsonObject[] | null {
  return isJsonObject(value) ? [value] : objectsOf(value)
}

export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : []
}

export function conversation(
  messages: readonly JsonValue[],
  known: Partial<Omit<Conversation, 'messages'>> = {},
): Conversation {
  return {
    sessionId: null,
    parentSessionId: null,
    createdAt: '',
    updatedAt: '',
    metadata: {},
    problems: [],
    ...known,
    messages,
  }
}
