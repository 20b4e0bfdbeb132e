import type { SessionRecord } from '@turnstore/core'
import { encodeTransition, encodeTurn } from '@turnstore/core/adapter'
import { transitionField, turnField } from './keyspace.js'

/** A part of a session to send to the server. */
interface SavePart {
  readonly firstTurn: number
  readonly turns: readonly string[]
  readonly firstTransition: number
  readonly transitions: readonly string[]
  readonly ids: readonly (readonly [field: string, places: string])[]
}

/** A session as the texts that are stored. */
export interface EncodedSave {
  readonly turns: readonly string[]
  readonly transitions: readonly string[]
  readonly ids: readonly (readonly [field: string, places: string])[]
  readonly items: number
  readonly bytes: number
  /** All of it, in parts of at most this many items, and of this many bytes or one item more. */
  parts(most: { readonly items: number; readonly bytes: number }): Iterable<SavePart>
}

export function encodeSave(session: SessionRecord): EncodedSave {
  const turns = session.turns.map(turn => JSON.stringify(encodeTurn(turn)))
  const transitions = session.agentTransitions.map(transition => JSON.stringify(encodeTransition(transition)))
  const places = new Map<string, string>()
  // An imported session may have a turn id twice: then the field has both places.
  for (const [index, { turnId }] of session.turns.entries()) {
    const field = turnField(turnId)
    const before = places.get(field)
    places.set(field, before === undefined ? `${index}` : `${before} ${index}`)
  }
  for (const [index, { transitionId }] of session.agentTransitions.entries()) {
    const field = transitionField(transitionId)
    if (field !== '' && !places.has(field)) places.set(field, `${index}`)
  }
  const ids = [...places]
  return {
    turns,
    transitions,
    ids,
    items: turns.length + transitions.length,
    bytes: [...turns, ...transitions].reduce((sum, text) => sum + text.length, 0),
    parts: most => partsOf(turns, transitions, ids, most),
  }
}

function* partsOf(
  turns: readonly string[],
  transitions: readonly string[],
  ids: EncodedSave['ids'],
  most: { readonly items: number; readonly bytes: number },
): Iterable<SavePart> {
  let firstTurn = 0
  let firstTransition = 0
  let firstId = 0
  while (firstTurn < turns.length || firstTransition < transitions.length || firstId < ids.length) {
    const part = {
      firstTurn,
      turns: slice(turns, firstTurn, most),
      firstTransition,
      // After the turns, so that no part holds twice as much.
      transitions: firstTurn < turns.length ? [] : slice(transitions, firstTransition, most),
      ids: ids.slice(firstId, firstId + most.items),
    }
    yield part
    firstTurn += part.turns.length
    firstTransition += part.transitions.length
    firstId += part.ids.length
  }
}

function slice(
  texts: readonly string[],
  from: number,
  most: { readonly items: number; readonly bytes: number },
): string[] {
  let bytes = 0
  let to = from
  while (to < texts.length && to - from < most.items && bytes < most.bytes) bytes += texts[to++]?.length ?? 0
  return texts.slice(from, to)
}
