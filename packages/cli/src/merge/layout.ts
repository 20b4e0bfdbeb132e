import { isDeepStrictEqual } from 'node:util'
import type { JsonObject, JsonValue, TurnRecord } from '@turnstore/core'
import { isJsonObject, LAYOUT_KEY } from '@turnstore/core/adapter'
import { memberOf } from './members.js'

/*
 * The order of a turn's messages, as an import leaves it in the metadata of the turn (core has its form, in
 * chat-layout.ts). The key is an application's own as well, so not all that it holds is a layout.
 */

export type Layout = readonly JsonValue[]

const roles: readonly unknown[] = ['user', 'assistant', 'tool', 'system', 'developer']

/** The layout of a turn; undefined where its messages lie as usual, null where an application has the key. */
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

/** A layout with the results that stand in another one alone. What the other says of their form goes with them. */
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

/** A later layout, in which what an earlier one says of results and of system messages stays as it was. */
export function withKept(later: Layout, earlier: Layout): Layout {
  const systems = earlier.filter(isSystem)
  const kept = later
    .filter(entry => !isResult(entry))
    .map(entry => (isSystem(entry) ? (systems.shift() ?? entry) : entry))
  return withResults(withResults(kept, earlier), later)
}

/** Whether two layouts have system messages that differ. One that only one of them has is no difference. */
export function hasOtherSystems(layout: Layout, other: Layout): boolean {
  const systems = other.filter(isSystem)
  return layout.filter(isSystem).some((entry, index) => index < systems.length && !isDeepStrictEqual(entry, systems[index]))
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

/** The places of the calls in a message of the assistant. */
function callsOf(entry: JsonValue): (JsonValue | undefined)[] {
  const calls = memberIn(entry, 'calls')
  return Array.isArray(calls) ? calls.map(call => (isJsonObject(call) ? memberOf(call, 'call') : call)) : []
}
