import { type JsonObject, TurnstoreError } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { SessionStoreEntry } from '../keys/sdk-types.js'

/** An entry is a line of a file of JSON: what JSON has no place for is not part of it. @throws `INVALID_RECORD` */
export function entryJson(entry: SessionStoreEntry, index: number): JsonObject {
  return jsonObject(entry, `entries[${index}]`)
}

/** @throws `INVALID_RECORD` */
export function jsonObject(source: object, what = 'the summary'): JsonObject {
  const value = jsonOf(source)
  if (isJsonObject(value)) return value
  throw new TurnstoreError('INVALID_RECORD', `${what} is no JSON object`, { outcome: 'not-stored' })
}

/** An entry as the SDK takes it. */
export function sdkEntry(entry: JsonObject): SessionStoreEntry {
  const { type } = entry
  const typed: Record<string, unknown> & { type: string } = { ...entry, type: typeof type === 'string' ? type : '' }
  return typed
}

function jsonOf(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value))
  } catch {
    return undefined // the error may quote the value, so it is dropped
  }
}
