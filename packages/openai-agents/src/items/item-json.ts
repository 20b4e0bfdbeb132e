import type { AgentInputItem } from '@openai/agents-core'
import { type JsonObject, type JsonValue, TurnstoreError } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'

/*
 * Items may hold bytes and undefined members, which JSON has no place for. Bytes become `{ $bytes: base64 }`, undefined
 * members are left out. An object that looks like encoded bytes gets one more `$`.
 */

const bytesName = /^\$+bytes$/

/** @throws `INVALID_RECORD` for what is neither JSON nor bytes */
export function encodeItem(item: AgentInputItem, index: number): JsonObject {
  const what = `items[${index}]`
  try {
    const encoded = encode(item, what)
    return isJsonObject(encoded) ? encoded : refuse(what)
  } catch {
    // A getter that throws may quote what it hides.
    return refuse(what)
  }
}

/** @param what names the value in errors */
export function encode(value: unknown, what: string, depth = 0): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value !== 'object' || depth > DEEPEST) return refuse(what)
  if (value instanceof Uint8Array) return { $bytes: base64Of(value) }
  if (Array.isArray(value)) {
    return Array.from<unknown, JsonValue>(value, each => (each === undefined ? null : encode(each, what, depth + 1)))
  }
  if (!isPlain(value)) return refuse(what)
  const entries: [string, unknown][] = Object.entries(value).filter(([, each]) => each !== undefined)
  const [first] = entries
  const isLookalike = entries.length === 1 && first !== undefined && bytesName.test(first[0])
  return Object.fromEntries(
    entries.map(([name, each]) => [isLookalike ? `$${name}` : name, encode(each, what, depth + 1)]),
  )
}

/** Deeper than any store takes. Ends circles. */
const DEEPEST = 1000

export function decodeItem(value: JsonObject): AgentInputItem {
  const item = decode(value)
  return isItem(item) ? item : refuse('a stored item')
}

export function decode(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (!isJsonObject(value)) return value
  const entries = Object.entries(value)
  const [first] = entries
  if (entries.length !== 1 || first === undefined || !bytesName.test(first[0])) {
    return Object.fromEntries(entries.map(([name, each]) => [name, decode(each)]))
  }
  const [name, content] = first
  if (name === '$bytes') return typeof content === 'string' ? bytesOf(content) : { $bytes: decode(content) }
  return { [name.slice(1)]: decode(content) }
}

/** The SDK has checked it when it gave it. */
function isItem(value: unknown): value is AgentInputItem {
  return typeof value === 'object' && value !== null
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

function base64Of(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCodePoint(byte)
  return btoa(binary)
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), character => character.codePointAt(0) ?? 0)
}

function refuse(what: string): never {
  throw new TurnstoreError('INVALID_RECORD', `${what} has a value that is neither JSON nor bytes`, {
    outcome: 'not-stored',
  })
}
