import type { JsonObject } from '@turnstore/core'
import { digestOf } from '@turnstore/core/adapter'
import { uuidOf } from './format.js'

/** An entry with the id of its item. */
export interface NamedEntry {
  readonly id: string
  readonly entry: JsonObject
}

/**
 * The ids of all entries of a session, each with the uuid of the last entry before it that has one ('' at the beginning).
 *
 * Entries without a uuid (modes, titles, the state of the costs) are identified by that uuid, their content, and their
 * number among their equals since then. So a replay gives them the same ids, in whatever batches it comes, while the same
 * entry in another place is another.
 */
export class EntryIds {
  readonly #before = new Map<string, string>()

  has(id: string): boolean {
    return this.#before.has(id)
  }

  add(id: string, after: string): void {
    if (!this.#before.has(id)) this.#before.set(id, after)
  }

  /** The uuid before an entry. */
  before(id: string): string | undefined {
    return this.#before.get(id)
  }
}

/** Where a writer is in a session. */
export interface Position {
  /** The uuid of the last entry that has one; '' at the beginning. */
  readonly after: string
  /** Whether what follows may be stored already. */
  readonly isReplay: boolean
  /** How many entries without a uuid have come since then, by the digest of their content. */
  readonly counts: Map<string, number>
}

export function positionAfter(after: string, isReplay: boolean): Position {
  return { after, isReplay, counts: new Map() }
}

export interface Naming {
  /** The entries that are not stored yet. */
  readonly added: NamedEntry[]
  /** Where the writer is after them. */
  position(): Position
}

/**
 * Names the entries of a batch and leaves out those that are stored.
 *
 * An entry without a uuid that is there already is the same one in a replay only, where the entry before it was there
 * already too. Otherwise another writer has stored its equal, and this one is new.
 */
export function nameEntries(batch: readonly JsonObject[], stored: EntryIds, from: Position): Naming {
  const added: NamedEntry[] = []
  const names = new Set<string>()
  const counted: [string, number][] = []
  let { after, isReplay } = from
  let counts: ReadonlyMap<string, number> = from.counts
  let own = new Map<string, number>()
  const isThere = (id: string): boolean => stored.has(id) || names.has(id)
  for (const entry of batch) {
    const uuid = uuidOf(entry)
    if (uuid !== null) {
      isReplay = isThere(uuid)
      if (!isReplay) added.push({ id: uuid, entry })
      names.add(uuid)
      after = uuid
      counts = new Map()
      own = new Map()
      continue
    }
    const digest = digestOf(entry)
    let count = own.get(digest) ?? counts.get(digest) ?? 0
    let id = idOf(after, digest, count)
    if (!isReplay) while (isThere(id)) id = idOf(after, digest, ++count)
    if (!isThere(id)) added.push({ id, entry })
    names.add(id)
    own.set(digest, count + 1)
    counted.push([digest, count + 1])
  }
  return {
    added,
    position() {
      if (after !== from.after || isReplay !== from.isReplay) return { after, isReplay, counts: own }
      // The counts may be many, where no entry has a uuid.
      for (const [digest, count] of counted) from.counts.set(digest, count)
      return from
    },
  }
}

/**
 * Where a batch belongs.
 * @param known where the writer is; undefined if it has neither loaded nor appended anything
 * @param end the end of the session
 */
export function placeOf(
  batch: readonly JsonObject[],
  stored: EntryIds,
  known: Position | undefined,
  end: () => Position,
): Position {
  const next = batch.map(uuidOf).find(uuid => uuid !== null)
  // It begins with entries that a stored one follows: this is a replay of what is before that one.
  const before = next === undefined || next === null ? undefined : stored.before(next)
  if (before !== undefined) return positionAfter(before, true)
  // It is what the session begins with: this is a replay from the beginning, if nothing is known of the writer, or if the
  // time in an entry tells that it is the same one.
  const isFromBeginning =
    next === undefined && (known === undefined || batch.some(({ timestamp }) => timestamp !== undefined))
  const beginning = positionAfter('', true)
  if (isFromBeginning && nameEntries(batch, stored, beginning).added.length === 0) return beginning
  if (known !== undefined) return known
  return end()
}

function idOf(after: string, digest: string, count: number): string {
  return `entry-${digestOf([after, digest, count])}`
}
