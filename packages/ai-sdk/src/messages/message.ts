import type { UIMessage } from 'ai'
import { type JsonObject, TurnstoreError } from '@turnstore/core'
import { isJsonObject, readJsonObject } from '@turnstore/core/adapter'

export const FORMAT = 'ai-sdk'

/** A UI message of the SDK, as it is stored. */
export type Message = JsonObject & { id: string; role: 'system' | 'user' | 'assistant'; parts: Part[] }

/** A part of a message. */
export type Part = JsonObject & { type: string }

/** @throws `INVALID_RECORD` for what is no UI message, and for values that JSON has no place for */
export function readMessages(messages: unknown): Message[] {
  if (!Array.isArray(messages)) throw new TurnstoreError('INVALID_ARGUMENT', 'messages must be an array')
  return Array.from<unknown, Message>(messages, (message, index) => readMessage(message, `messages[${index}]`))
}

export function readMessage(message: unknown, what: string): Message {
  const copy = readJsonObject(message, what)
  if (isMessage(copy)) return copy
  throw new TurnstoreError('INVALID_RECORD', `${what} must be a UI message: an id, a role, and parts that have types`)
}

export function isMessage(value: object): value is Message {
  const { id, role, parts }: { id?: unknown; role?: unknown; parts?: unknown } = value
  return (
    typeof id === 'string' &&
    (role === 'system' || role === 'user' || role === 'assistant') &&
    Array.isArray(parts) &&
    parts.every(isPart)
  )
}

export function isPart(value: unknown): value is Part {
  return isJsonObject(value) && typeof value.type === 'string'
}

/** The types of metadata, data parts and tools are the caller's word. */
function isMessageOf<MESSAGE extends UIMessage>(value: Message | MESSAGE): value is MESSAGE {
  return isMessage(value)
}

/** Messages for the SDK. */
export function given<MESSAGE extends UIMessage>(messages: readonly Message[]): MESSAGE[] {
  return messages.filter(message => isMessageOf<MESSAGE>(message))
}

/**
 * A value of a run as JSON: what the SDK sends to the browser and to the model of it. A `Date` becomes its text.
 * @throws `INVALID_RECORD` if there is no JSON of it
 */
export function asJson(value: unknown, what: string): JsonObject {
  try {
    // A member, as undefined alone has no JSON.
    const parsed: unknown = JSON.parse(JSON.stringify({ value }))
    if (isJsonObject(parsed)) return parsed
  } catch {
    // The error may quote the value.
  }
  throw new TurnstoreError('INVALID_RECORD', `${what} has no JSON`, { outcome: 'not-stored' })
}
