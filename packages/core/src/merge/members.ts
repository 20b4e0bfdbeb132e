import { isJsonObject, type JsonObject, type JsonValue, sameJson } from '../basics/json.js'
import type { TurnRecord } from '../records/models.js'

/** Reports where the target and the incoming session differ. Never contains payload. */
export type Contradict = (what: string) => void

/** Whether a member counts as empty. */
export function lacks(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === ''
}

/** Whether the status may still change. */
export function isOpen({ status }: { readonly status: string }): boolean {
  return status === 'running' || status === ''
}

/** Whether the end of a turn is inferred: a transcript says of its last turn only that there are no more messages. */
export function hasInferredEnd(turn: TurnRecord): boolean {
  return !isOpen(turn) && lacks(turn.endedAt) && turn.items.length > 0
}

/** The stored value, or the incoming one if the stored value is empty. */
export function filled<T extends JsonValue>(stored: T, incoming: T): T {
  return lacks(stored) && !lacks(incoming) ? incoming : stored
}

/** Like {@link filled}, and reports a contradiction if the values differ. */
export function united<T extends JsonValue>(stored: T, incoming: T, contradict: () => void): T {
  if (!lacks(stored) && !lacks(incoming) && !sameJson(stored, incoming)) contradict()
  return filled(stored, incoming)
}

/** Merges by top-level key; each value is indivisible. */
export function unitedObjects(stored: JsonObject, incoming: JsonObject, contradict: () => void): JsonObject {
  const known = Object.entries(stored).map(([key, value]): [string, JsonValue] => [
    key,
    united(value, memberOf(incoming, key) ?? null, contradict),
  ])
  const missing = Object.entries(incoming).filter(([key]) => !Object.hasOwn(stored, key))
  // Not by assignment: that would set the prototype for the key `__proto__`.
  return Object.fromEntries([...known, ...missing])
}

/** The metadata of a turn at two stages. While the turn may grow, so may objects of counts in it, such as its usage. */
export function unitedFacts(
  stored: JsonObject,
  incoming: JsonObject,
  mayGrow: boolean,
  contradict: () => void,
): JsonObject {
  if (!mayGrow) return unitedObjects(stored, incoming, contradict)
  const later = Object.entries(incoming).filter(([key, counts]) => areCountsOf(memberOf(stored, key), counts))
  const earlier = Object.entries(incoming).filter(([key, counts]) => areCountsOf(counts, memberOf(stored, key)))
  const others = Object.fromEntries(Object.entries(incoming).filter(entry => !earlier.includes(entry)))
  return unitedObjects(Object.fromEntries([...Object.entries(stored), ...later]), others, contradict)
}

/** Whether both are objects of counts, and the second has all of the first and none that is smaller. */
export function areCountsOf(before: JsonValue | undefined, after: JsonValue | undefined): boolean {
  if (!isJsonObject(before) || !isJsonObject(after) || !areCounts(after)) return false
  return Object.entries(before).every(([key, count]) => {
    const later = memberOf(after, key)
    if (typeof count === 'number') return typeof later === 'number' && later >= count
    return areCountsOf(count, later)
  })
}

function areCounts(value: JsonValue): boolean {
  return typeof value === 'number' || (isJsonObject(value) && Object.values(value).every(areCounts))
}

interface Extensible {
  readonly extra?: JsonObject
}

/** Omits `extra` if it is empty, as records do. */
export function unitedExtra(stored: Extensible, incoming: Extensible, contradict: () => void): { extra?: JsonObject } {
  const extra = unitedObjects(stored.extra ?? {}, incoming.extra ?? {}, contradict)
  return Object.keys(extra).length === 0 ? {} : { extra }
}

/** Ignores inherited properties. */
export function memberOf(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Whether a value may be an earlier, incomplete stage of another. */
export function isBeginningOf(before: unknown, after: unknown): boolean {
  if (before === null || before === undefined || before === after) return true
  if (typeof before === 'string') return typeof after === 'string' && after.startsWith(before)
  if (typeof before !== 'object' || typeof after !== 'object' || after === null) return false
  if (Array.isArray(before) !== Array.isArray(after)) return false
  return Object.entries(before).every(
    ([key, value]) => Object.hasOwn(after, key) && isBeginningOf(value, Reflect.get(after, key)),
  )
}

/** A value at one stage. `isOpen`: it may still grow. */
export interface Stage<T extends JsonValue> {
  readonly value: T
  readonly isOpen: boolean
}

/** The more advanced of two stages; undefined if neither is a prefix of the other. */
export function furtherOf<T extends JsonValue>(stored: Stage<T>, incoming: Stage<T>): T | undefined {
  if (lacks(stored.value)) return lacks(incoming.value) ? (stored.value ?? incoming.value) : incoming.value
  if (lacks(incoming.value)) return stored.value
  if (sameJson(stored.value, incoming.value)) return stored.value
  if (stored.isOpen && isBeginningOf(stored.value, incoming.value)) return incoming.value
  return incoming.isOpen && isBeginningOf(incoming.value, stored.value) ? stored.value : undefined
}

/** Prefixes each id with its number of earlier occurrences, so that duplicates are distinguished by order. */
export function occurrences(ids: readonly string[]): string[] {
  const counts = new Map<string, number>()
  return ids.map(id => {
    const count = counts.get(id) ?? 0
    counts.set(id, count + 1)
    return `${count} ${id}`
  })
}
