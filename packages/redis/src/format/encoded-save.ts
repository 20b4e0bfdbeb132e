import type { SessionRecord } from '@turnstore/core'
import { encodeTransition } from '@turnstore/core/adapter'
import { transitionField, turnField } from './keyspace.js'
import { encodeStoredTurn } from './stored-turn.js'

type IdRow = readonly [field: string, places: string]

/** A slice of a session to send to the server. */
interface SaveSlice {
  readonly firstTurn: number
  readonly turns: readonly string[]
  readonly firstTransition: number
  readonly transitions: readonly string[]
  readonly ids: readonly IdRow[]
  readonly parts: readonly string[]
}

interface Most {
  readonly items: number
  readonly bytes: number
}

/** A session as the texts that are stored. */
export interface EncodedSave {
  readonly turns: readonly string[]
  readonly transitions: readonly string[]
  readonly ids: readonly IdRow[]
  /** Fields and values of the hash of parts, by turns. */
  readonly parts: readonly string[]
  readonly items: number
  readonly bytes: number
  /** All of it, in slices of at most this many items, and of this many bytes or one item more. */
  slices(most: Most): Iterable<SaveSlice>
}

export function encodeSave(session: SessionRecord): EncodedSave {
  const turns: string[] = []
  const parts: string[] = []
  const places = new Map<string, string>()
  for (const [index, turn] of session.turns.entries()) {
    const { text, token, values } = encodeStoredTurn(turn)
    turns.push(text)
    for (const value of values) parts.push(value)
    const place = token === '' ? `${index}` : `${index}@${token}`
    const field = turnField(turn.turnId)
    const before = places.get(field)
    // An imported session may have a turn id twice: then the field has both places.
    places.set(field, before === undefined ? place : `${before} ${place}`)
  }
  const transitions = session.agentTransitions.map(transition => JSON.stringify(encodeTransition(transition)))
  for (const [index, { transitionId }] of session.agentTransitions.entries()) {
    const field = transitionField(transitionId)
    if (field !== '' && !places.has(field)) places.set(field, `${index}`)
  }
  const ids = [...places]
  return {
    turns,
    transitions,
    ids,
    parts,
    items: turns.length + transitions.length + parts.length / 2,
    bytes: [...turns, ...transitions, ...parts].reduce((sum, text) => sum + text.length, 0),
    slices: most => slicesOf(turns, transitions, ids, parts, most),
  }
}

function* slicesOf(
  turns: readonly string[],
  transitions: readonly string[],
  ids: readonly IdRow[],
  parts: readonly string[],
  most: Most,
): Iterable<SaveSlice> {
  let [firstTurn, firstTransition, firstId, firstPart] = [0, 0, 0, 0]
  while (
    firstTurn < turns.length ||
    firstTransition < transitions.length ||
    firstId < ids.length ||
    firstPart < parts.length
  ) {
    // One list after the other, so that no slice holds twice as much.
    const hasTurns = firstTurn < turns.length
    const hasTransitions = firstTransition < transitions.length
    const slice = {
      firstTurn,
      turns: sliceOf(turns, firstTurn, most),
      firstTransition,
      transitions: hasTurns ? [] : sliceOf(transitions, firstTransition, most),
      ids: ids.slice(firstId, firstId + most.items),
      parts: hasTurns || hasTransitions ? [] : pairsOf(parts, firstPart, most),
    }
    yield slice
    firstTurn += slice.turns.length
    firstTransition += slice.transitions.length
    firstId += slice.ids.length
    firstPart += slice.parts.length
  }
}

function sliceOf(texts: readonly string[], from: number, most: Most): string[] {
  let bytes = 0
  let to = from
  while (to < texts.length && to - from < most.items && bytes < most.bytes) bytes += texts[to++]?.length ?? 0
  return texts.slice(from, to)
}

/** The same for fields and values, which stay together. */
function pairsOf(texts: readonly string[], from: number, most: Most): string[] {
  let bytes = 0
  let to = from
  while (to < texts.length && to - from < 2 * most.items && bytes < most.bytes) {
    bytes += (texts[to]?.length ?? 0) + (texts[to + 1]?.length ?? 0)
    to += 2
  }
  return texts.slice(from, to)
}
