import type { JsonObject } from '@turnstore/core'
import { digestOf } from '@turnstore/core/adapter'
import { uuidOf } from './format.js'

/** An entry with the id of its turn. */
export interface NamedEntry {
  readonly entry: JsonObject
  readonly turnId: string
  /** Of an entry without a uuid: by what it is identified. */
  readonly place: Place | null
}

interface Place {
  /** The uuid of the last entry before it that has one; '' at the beginning. */
  readonly after: string
  /** Whether that entry is one of the same batch. */
  readonly isInBatch: boolean
  readonly digest: string
  /** How many equal entries have come since then. */
  readonly count: number
}

/**
 * Where a writer is in a session. Entries without a uuid (modes, titles, the state of the costs) are identified by the
 * entry with one before them, their content, and their number among their equals since then. So a replay gives them the
 * same ids, in whatever batches it comes, while the same entry in another place is another.
 */
export class Numbering {
  #after: string
  #isReplay: boolean
  #counts = new Map<string, number>()

  /**
   * @param after the uuid of the last entry that has one; '' at the beginning
   * @param isReplay whether what follows may be stored already
   */
  constructor(after = '', isReplay = false) {
    this.#after = after
    this.#isReplay = isReplay
  }

  /** The ids of the entries of a batch. */
  name(entries: readonly JsonObject[]): NamedEntry[] {
    const digests = new Map<string, string>()
    let after = this.#after
    let isInBatch = false
    let counts = new Map<string, number>()
    return entries.map((entry): NamedEntry => {
      const uuid = uuidOf(entry)
      const digest = digestOf(entry)
      if (uuid === null) {
        const count = (isInBatch ? 0 : (this.#counts.get(digest) ?? 0)) + (counts.get(digest) ?? 0)
        counts.set(digest, (counts.get(digest) ?? 0) + 1)
        return named(entry, { after, isInBatch, digest, count })
      }
      const known = digests.get(uuid) ?? digest
      digests.set(uuid, known)
      after = uuid
      isInBatch = true
      counts = new Map()
      return { entry, turnId: known === digest ? uuid : otherId(entry), place: null }
    })
  }

  /**
   * Whether an entry that is there already is another writer's. It is not in a replay: there, the entry before it was
   * there already too.
   * @param deduplicated the ids of the batch that were there already
   */
  isOthers({ turnId, place }: NamedEntry, deduplicated: ReadonlySet<string>): boolean {
    if (place === null || !deduplicated.has(turnId)) return false
    return place.isInBatch ? !deduplicated.has(place.after) : !this.#isReplay
  }

  /** Takes over a batch that is stored. */
  advance(batch: readonly NamedEntry[], deduplicated: ReadonlySet<string>): void {
    for (const { entry, turnId, place } of batch) {
      if (place === null) {
        this.#after = uuidOf(entry) ?? ''
        this.#isReplay = deduplicated.has(turnId)
        this.#counts = new Map()
      } else this.#counts.set(place.digest, Math.max(this.#counts.get(place.digest) ?? 0, place.count + 1))
    }
  }

  /** Nobody knows whether the last batch was stored. */
  doubt(): void {
    this.#isReplay = true
  }
}

/** The next id for an entry whose id another writer has taken. */
export function renamed({ entry, turnId, place }: NamedEntry): NamedEntry {
  return place === null ? { entry, turnId, place } : named(entry, { ...place, count: place.count + 1 })
}

/** The id of an entry that has the uuid of another with other content: both are kept. */
export function otherId(entry: JsonObject): string {
  return `entry-${digestOf(entry)}`
}

function named(entry: JsonObject, place: Place): NamedEntry {
  return { entry, turnId: `entry-${digestOf([place.after, place.digest, place.count])}`, place }
}
