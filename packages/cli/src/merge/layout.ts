import { isDeepStrictEqual } from 'node:util'
import type { JsonObject, JsonValue, TurnRecord } from '@turnstore/core'
import { isJsonObject, LAYOUT_KEY } from '@turnstore/core/adapter'
import { memberOf } from './members.js'

/*
 * The order of a turn's messages, which import stores in the turn's metadata (format: core, chat-layout.ts).
 * Applications may use the same key, so its value is not always a layout.
 */

export type Layout = readonly JsonValue[]

const roles: readonly unknown[] = ['user', 'assistant', 'tool', 'system', 'developer']

/** The layout of a turn; undefined if its messages have the default order, null if an application uses the key. */
export function layoutIn({ metadata }: TurnRecord): Layout | undefined | null {
  const value = memberOf(metadata, LAYOUT_KEY)
  if (value === undefined) return undefined
  return Array.isArray(value) && value.every(entry => roles.includes(roleOf(entry))) ? value : null
}

export function withoutLayout(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== LAYOUT_KEY))
}

export function withLayout(metadata: JsonObject, layout: Layout | undefined): JsonObject {
  return layout === undefined ? metadata : { ...metadata, [LAYOUT_KEY]: [...layout] }
}

/** Adds the results that only the other layout has, in the form that they have there. */
export function withResults(layout: Layout, other: Layout): Layout {
  const result = [...layout]
  for (const entry of other) {
    const call = isResult(entry) ? memberIn(entry, 'call') : undefined
    if (call === undefined || result.some(each => isResult(each) && memberIn(each, 'call') === call)) continue
    const asked = result.findIndex(each => callsOf(each).includes(call))
    const end = result.findIndex((each, index) => index > asked && !isResult(each))
    if (asked !== -1) result.splice(end === -1 ? result.length : end, 0, entry)
  }
  return result
}

/** A later layout that keeps the results and system messages of an earlier one as they were. */
export function withKept(later: Layout, earlier: Layout): Layout {
  const systems = earlier.filter(isSystem)
  const kept = later
    .filter(entry => !isResult(entry))
    .map(entry => (isSystem(entry) ? (systems.shift() ?? entry) : entry))
  return withResults(withResults(kept, earlier), later)
}

/** Whether system messages that both layouts have differ. */
export function hasOtherSystems(layout: Layout, other: Layout): boolean {
  const systems = other.filter(isSystem)
  return layout
    .filter(isSystem)
    .some((entry, index) => index < systems.length && !isDeepStrictEqual(entry, systems[index]))
}

function isResult(entry: JsonValue): boolean {
  return roleOf(entry) === 'tool'
}

export function isSystem(entry: JsonValue): boolean {
  return roleOf(entry) === 'system' || roleOf(entry) === 'developer'
}

function roleOf(entry: JsonValue): JsonValue | undefined {
  return isJsonObject(entry) ? memberOf(entry, 'role') : entry
}

function memberIn(entry: JsonValue, name: string): JsonValue | undefined {
  return isJsonObject(entry) ? memberOf(entry, name) : undefined
}

/** The positions of the calls in an assistant message. */
function callsOf(entry: JsonValue): (JsonValue | undefined)[] {
  const calls = memberIn(entry, 'calls')
  return Array.isArray(calls) ? calls.map(call => (isJsonObject(call) ? memberOf(call, 'call') : call)) : []
}
