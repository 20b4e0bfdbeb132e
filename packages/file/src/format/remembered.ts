import { type JsonObject, TurnstoreError } from '@turnstore/core'
import {
  decodeRemembered,
  encodeRemembered,
  isJsonObject,
  KEYS_KEY,
  type RememberedChange,
  REMEMBERED_CHANGES,
} from '@turnstore/core/adapter'
import type { NumberedChange } from './journal-entry.js'

/**
 * The last changes with an idempotency key, by key. Each has a number, so that a journal is not replayed over what a
 * document already has.
 */
export class Remembered {
  /** Oldest first. */
  readonly #changes: Map<string, RememberedChange>
  #count: number

  constructor(count = 0, changes: Iterable<RememberedChange> = []) {
    this.#count = count
    this.#changes = new Map(Array.from(changes, change => [change.key, change]))
  }

  /** How many changes with a key the session has had. */
  get count(): number {
    return this.#count
  }

  find(key: string): RememberedChange | undefined {
    return this.#changes.get(key)
  }

  /** Whether it has a change, or had it and has forgotten it since. */
  has(numbered: NumberedChange | undefined): boolean {
    return numbered === undefined || numbered.number <= this.#count
  }

  /** Does nothing with a change that it has. */
  add(numbered: NumberedChange): void {
    if (this.has(numbered)) return
    const { number, change } = numbered
    this.#count = number
    this.#changes.set(change.key, change)
    const [oldest] = this.#changes.keys()
    if (this.#changes.size > REMEMBERED_CHANGES && oldest !== undefined) this.#changes.delete(oldest)
  }

  copy(): Remembered {
    return new Remembered(this.#count, this.#changes.values())
  }

  /** The metadata of a document, with these changes under a key that only this store sees. */
  in(metadata: JsonObject): JsonObject {
    if (this.#count === 0) return metadata
    const changes = Array.from(this.#changes.values(), encodeRemembered)
    return { ...metadata, [KEYS_KEY]: { count: this.#count, changes } }
  }

  /** Takes them out of the metadata of a document. @throws `INVALID_RECORD` */
  static takeFrom(stored: JsonObject): { metadata: JsonObject; remembered: Remembered } {
    if (!Object.hasOwn(stored, KEYS_KEY)) return { metadata: stored, remembered: new Remembered() }
    const { [KEYS_KEY]: kept, ...metadata } = stored
    if (isJsonObject(kept)) {
      const { count, changes } = kept
      if (typeof count === 'number' && Number.isSafeInteger(count) && Array.isArray(changes)) {
        return {
          metadata,
          remembered: new Remembered(
            count,
            changes.map(change => decodeRemembered(change)),
          ),
        }
      }
    }
    throw new TurnstoreError('INVALID_RECORD', `session.metadata.${KEYS_KEY} is not what this store has written`)
  }
}
