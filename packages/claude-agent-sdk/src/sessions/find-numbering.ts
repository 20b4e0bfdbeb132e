import type { JsonObject, SessionStore, TurnRecord } from '@turnstore/core'
import { canonicalJson } from '@turnstore/core/adapter'
import { entryIn, uuidOf } from '../entries/format.js'
import { Numbering } from '../entries/numbering.js'
import type { Place } from '../keys/place.js'

/** How many turns are read at once to find one with a uuid. Few entries without one follow each other. */
const STEP = 16

/**
 * Finds out where a batch belongs that begins with entries without a uuid.
 *
 * - If an entry with a uuid follows them in the batch and is stored, this is a replay, and they belong before that entry.
 * - If nothing is known of this writer and the session begins with just these entries, this is a replay from the
 *   beginning.
 * - Otherwise they are new: they follow what this writer has loaded or appended, else the end of the session.
 *
 * @param known where the writer is; undefined if it has neither loaded nor appended anything
 */
export async function findNumbering(
  store: SessionStore,
  place: Place,
  batch: readonly JsonObject[],
  known: Numbering | undefined,
): Promise<Numbering> {
  const leading = batch.findIndex(entry => uuidOf(entry) !== null)
  if (leading === 0) return known ?? new Numbering()
  const next = batch[leading]
  const nextId = next === undefined ? null : uuidOf(next)
  if (nextId !== null) {
    const { workspaceId } = place
    const page = await store.readTurns(place.id, { turnId: nextId }, { workspaceId, parts: 'none' })
    if (page !== null && page.turns.length > 0) return before(store, place, page.firstIndex)
  } else if (known === undefined && (await beginsWith(store, place, batch))) return new Numbering('', true)
  return known ?? (await atEnd(store, place))
}

/** What follows these turns, which are the last ones of a session. */
export function followed(turns: readonly TurnRecord[]): Numbering {
  const last = turns.findLastIndex(turn => anchorOf(turn) !== null)
  const turn = turns[last]
  const numbering = new Numbering(turn === undefined ? '' : (anchorOf(turn) ?? ''), false)
  const following = turns.slice(last + 1).map(entryIn).filter(entry => entry !== null)
  numbering.advance(numbering.name(following), new Set())
  return numbering
}

/** What follows the last entry with a uuid that is before a turn. */
async function before(store: SessionStore, { id, workspaceId }: Place, index: number): Promise<Numbering> {
  for (let end = index, step = STEP; end > 0; step *= 2) {
    const from = Math.max(0, end - step)
    const page = await store.readTurns(id, { from, limit: end - from }, { workspaceId })
    const turn = page?.turns.findLast(each => anchorOf(each) !== null)
    if (turn !== undefined) return new Numbering(anchorOf(turn) ?? '', true)
    end = from
  }
  return new Numbering('', true)
}

async function atEnd(store: SessionStore, { id, workspaceId }: Place): Promise<Numbering> {
  for (let last = STEP; ; last *= 2) {
    const page = await store.readTurns(id, { last }, { workspaceId })
    const turns = page?.turns ?? []
    if (turns.length < last || turns.some(turn => anchorOf(turn) !== null)) return followed(turns)
  }
}

async function beginsWith(
  store: SessionStore,
  { id, workspaceId }: Place,
  entries: readonly JsonObject[],
): Promise<boolean> {
  const page = await store.readTurns(id, { from: 0, limit: entries.length }, { workspaceId })
  const first = (page?.turns ?? []).map(entryIn)
  return entries.every((entry, index) => {
    const stored = first[index] ?? null
    return stored !== null && canonicalJson(stored) === canonicalJson(entry)
  })
}

/** The uuid of the entry of a turn. */
function anchorOf(turn: TurnRecord): string | null {
  const entry = entryIn(turn)
  return entry === null ? null : uuidOf(entry)
}
