import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Conversation } from './dialect.js'

/** The objects of a list. Null if it is none, or has anything else. */
export function objectsOf(value: unknown): JsonObject[] | null {
  if (!Array.isArray(value) || value.length === 0) return null
  const objects = value.filter(isJsonObject)
  return objects.length === value.length ? objects : null
}

/** The records or lines of a file. Some exports of ChatGPT and Claude wrap theirs in an object. */
export function unitsOf(file: unknown): readonly unknown[] {
  const units: readonly unknown[] = Array.isArray(file) ? file : [file]
  const [only] = units
  if (units.length !== 1 || !isJsonObject(only)) return units
  const { conversations, ...others } = only
  const [first] = listOf(conversations)
  const isWrapped = isJsonObject(first) && ('mapping' in first || 'chat_messages' in first)
  return isWrapped && Object.keys(others).length === 0 ? listOf(conversations) : units
}

export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : []
}

export function conversation(
  messages: readonly unknown[],
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
