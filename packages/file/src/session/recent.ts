/** Whichever limit is reached first. What was used last always stays. */
const MOST = 32
const MAX_BYTES = 1024 * 1024

/**
 * What is kept in memory of the turns of a session, by index: of the newest, which change and which most readers ask
 * for, and of those that a retry asked for.
 */
export class Recent<T> {
  readonly #values = new Map<number, { readonly value: T; readonly bytes: number }>()
  #bytes = 0

  get(index: number): { readonly value: T; readonly bytes: number } | undefined {
    return this.#values.get(index)
  }

  set(index: number, value: T, bytes: number): void {
    this.delete(index)
    this.#values.set(index, { value, bytes })
    this.#bytes += bytes
    for (const oldest of this.#values.keys()) {
      if (oldest === index || (this.#values.size <= MOST && this.#bytes <= MAX_BYTES)) return
      this.delete(oldest)
    }
  }

  /** Whether so many fit. */
  fits(count: number): boolean {
    return count <= MOST
  }

  clear(): void {
    this.#values.clear()
    this.#bytes = 0
  }

  delete(index: number): void {
    this.#bytes -= this.#values.get(index)?.bytes ?? 0
    this.#values.delete(index)
  }
}
