import type { JsonObject, TurnRecord } from '@turnstore/core'
import { FORMAT, isOwn, itemsOf, notesOf, ownItems, turnsOf } from '../items/format.js'
import { isStarted } from '../items/started-call.js'

/** An item as a reader of the session sees it. */
export interface Entry {
  readonly value: JsonObject
  /** Null if it was rendered from a turn that another SDK recorded. */
  readonly itemId: string | null
  /** Null if it is new. */
  readonly turn: TurnRecord | null
}

/** A compaction puts this into the metadata of its turn: what came before stays in the session, for people. */
const BEGINNING = { [FORMAT]: { readFrom: true } }

export const beginning = (): JsonObject => structuredClone(BEGINNING)

/** The index of the turn where reading begins; -1 if none of these turns says it. */
export function beginningAmong(turns: readonly TurnRecord[]): number {
  return turns.findLastIndex(turn => notesOf(turn).readFrom === true)
}

/** The items of turns, each with where it is stored. Turns of others are rendered one by one. */
export function entriesOf(turns: readonly TurnRecord[]): Entry[] {
  return turns.flatMap((turn): Entry[] =>
    isOwn(turn)
      ? ownItems(turn).map(({ itemId, value }) => ({ itemId, value, turn }))
      : itemsOf([withoutStarted(turn)]).map(value => ({ itemId: null, value, turn })),
  )
}

/** A call that a run has begun belongs to the run, until its items are stored. */
export function withoutStarted(turn: TurnRecord): TurnRecord {
  return { ...turn, toolCalls: turn.toolCalls.filter(call => !isStarted(call)) }
}

/** The turns of a list of entries. A turn whose first item stays keeps its id, its times and its metadata. */
export function turnsOfEntries(
  entries: readonly Entry[],
  life: Pick<TurnRecord, 'agentId' | 'startedAt'>,
): TurnRecord[] {
  const values = entries.map(({ value }) => value)
  const slices: Entry[][] = []
  let at = 0
  for (const { items } of turnsOf(values)) {
    slices.push(entries.slice(at, (at += items.length)))
  }
  const kept = new Set<TurnRecord>()
  const places = slices.map(([first]) => {
    const before = first?.turn ?? null
    const isNew = before === null || kept.has(before)
    if (!isNew) kept.add(before)
    return isNew ? null : before
  })
  // Ids of calls may be made of the turn's.
  const turnIds = places.map(before => before?.turnId ?? crypto.randomUUID())
  return turnsOf(values, index => turnIds[index] ?? crypto.randomUUID()).map((read, index) => {
    const items = (slices[index] ?? []).map(({ itemId, value }) => ({
      itemId: itemId ?? crypto.randomUUID(),
      format: FORMAT,
      value,
    }))
    const endedAt = read.status === 'running' ? null : life.startedAt
    const before = places[index] ?? null
    if (before === null) return { ...read, ...life, items, endedAt }
    const { agentId, startedAt, metadata } = before
    const started = isOwn(before) ? before.toolCalls.filter(isStarted) : []
    const toolCalls = [
      ...read.toolCalls,
      ...started.filter(({ callId }) => !read.toolCalls.some(call => call.callId === callId)),
    ]
    const ended = { endedAt: endedAt === null ? null : (before.endedAt ?? endedAt) }
    return { ...read, agentId, startedAt, ...ended, metadata, items, toolCalls }
  })
}
