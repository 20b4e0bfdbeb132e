import type { TurnRecord } from '@turnstore/core'

/** Whichever limit is reached first. The turn used last always stays. */
const MAX_TURNS = 32
const MAX_BYTES = 1024 * 1024

/**
 * The turns of a session that are kept in memory, by index: the newest, which change and which most readers ask
 * for, and those that a retry asked for.
 */
export class RecentTurns {
  readonly #turns = new Map<number, { readonly turn: TurnRecord; readonly bytes: number }>()
  #bytes = 0

  get(index: number): { readonly turn: TurnRecord; readonly bytes: number } | undefined {
    return this.#turns.get(index)
  }

  set(index: number, turn: TurnRecord, bytes: number): void {
    this.#delete(index)
    this.#turns.set(index, { turn, bytes })
    this.#bytes += bytes
    for (const oldest of this.#turns.keys()) {
      if (oldest === index || (this.#turns.size <= MAX_TURNS && this.#bytes <= MAX_BYTES)) return
      this.#delete(oldest)
    }
  }

  /** Whether so many turns fit. */
  fits(count: number): boolean {
    return count <= MAX_TURNS
  }

  clear(): void {
    this.#turns.clear()
    this.#bytes = 0
  }

  #delete(index: number): void {
    this.#bytes -= this.#turns.get(index)?.bytes ?? 0
    this.#turns.delete(index)
  }
}
