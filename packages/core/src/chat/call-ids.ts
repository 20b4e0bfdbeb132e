import { isValidId } from '../basics/ids.js'
import { partIdOf } from '../records/part-ids.js'

/**
 * The ids that calls of messages have in the record of their turn: their own, where it is valid and new in the turn. The
 * same messages give the same ids, so a record shows which of its calls a message names.
 */
export class CallIds {
  readonly #turnId: string
  /** How often each id was asked for. */
  readonly #used = new Map<string, number>()
  #count = 0

  constructor(turnId: string) {
    this.#turnId = turnId
  }

  /** @param id `''` if the call has none */
  next(id: string): string {
    const index = this.#count++
    return this.#unique(isValidId(id) ? id : partIdOf('toolCalls', this.#turnId, index))
  }

  /** `id`, `id#2`, …. Later calls do not change the ids of earlier ones. */
  #unique(id: string): string {
    let count = this.#used.get(id) ?? 0
    let unique = id
    while (count > 0 && this.#used.has(unique)) {
      count++
      unique = isValidId(`${id}#${count}`) ? `${id}#${count}` : partIdOf('toolCalls', this.#turnId, this.#count++)
    }
    this.#used.set(id, Math.max(count, 1))
    if (unique !== id) this.#used.set(unique, 1)
    return unique
  }
}
