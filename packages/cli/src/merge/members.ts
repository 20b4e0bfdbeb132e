import { isDeepStrictEqual } from 'node:util'
import type { JsonObject, JsonValue } from '@turnstore/core'

/** Reports a place where the target and what comes say different things. Never a payload. */
export type Contradict = (what: string) => void

/** Whether a member says nothing. */
export function lacks(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === ''
}

/** Whether a status may still become another one. */
export function isOpen({ status }: { readonly status: string }): boolean {
  return status === 'running' || status === ''
}

/** The target's value, or the one that comes where the target has none. */
export function filled<T extends JsonValue>(stored: T, incoming: T): T {
  return lacks(stored) && !lacks(incoming) ? incoming : stored
}

/** The same, for values that have to agree. */
export function united<T extends JsonValue>(stored: T, incoming: T, contradict: () => void): T {
  if (!lacks(stored) && !lacks(incoming) && !isDeepStrictEqual(stored, incoming)) contradict()
  return filled(stored, incoming)
}

/** Key by key at the top; a value is one thing. */
export function unitedObjects(stored: JsonObject, incoming: JsonObject, contradict: () => void): JsonObject {
  const known = Object.entries(stored).map(([key, value]): [string, JsonValue] => [
    key,
    united(value, memberOf(incoming, key) ?? null, contradict),
  ])
  const missing = Object.entries(incoming).filter(([key]) => !Object.hasOwn(stored, key))
  // Not by assignment, which would take `__proto__` for the prototype.
  return Object.fromEntries([...known, ...missing])
}

interface Extensible {
  readonly extra?: JsonObject
}

/** Missing where there is nothing in it, as records have it. */
export function unitedExtra(stored: Extensible, incoming: Extensible, contradict: () => void): { extra?: JsonObject } {
  const extra = unitedObjects(stored.extra ?? {}, incoming.extra ?? {}, contradict)
  return Object.keys(extra).length === 0 ? {} : { extra }
}

/** What an object inherits is no member of it. */
export function memberOf(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Whether a value may be an earlier stage of another one that was still being written. */
export function isBeginningOf(before: unknown, after: unknown): boolean {
  if (before === null || before === undefined || before === after) return true
  if (typeof before === 'string') return typeof after === 'string' && after.startsWith(before)
  if (typeof before !== 'object' || typeof after !== 'object' || after === null) return false
  if (Array.isArray(before) !== Array.isArray(after)) return false
  return Object.entries(before).every(
    ([key, value]) => Object.hasOwn(after, key) && isBeginningOf(value, Reflect.get(after, key)),
  )
}

/** A value at one stage of what it belongs to: `isOpen` while it may still grow. */
export interface Stage<T extends JsonValue> {
  readonly value: T
  readonly isOpen: boolean
}

/** The one of two stages that is further along; undefined where neither is the beginning of the other. */
export function furtherOf<T extends JsonValue>(stored: Stage<T>, incoming: Stage<T>): T | undefined {
  if (lacks(stored.value)) return lacks(incoming.value) ? (stored.value ?? incoming.value) : incoming.value
  if (lacks(incoming.value)) return stored.value
  if (isDeepStrictEqual(stored.value, incoming.value)) return stored.value
  if (stored.isOpen && isBeginningOf(stored.value, incoming.value)) return incoming.value
  return incoming.isOpen && isBeginningOf(incoming.value, stored.value) ? stored.value : undefined
}

/** Each id with how often it came before, so that records with one id are told apart by their order. */
export function occurrences(ids: readonly string[]): string[] {
  const counts = new Map<string, number>()
  return ids.map(id => {
    const count = counts.get(id) ?? 0
    counts.set(id, count + 1)
    return `${count} ${id}`
  })
}
