/** How a call of the model ends that broke off. What it said until then is no answer. */
const BROKEN: ReadonlySet<string> = new Set(['error', 'interrupted'])

/**
 * The call of the model that a run waits for. The SDK tells of some failures by what it does not call, and of others by an
 * error in the stream only.
 */
export class ModelCall {
  /** Null: it has not ended. */
  #reason: string | null = 'none'
  #hasError = false

  begin(): void {
    this.#reason = null
    this.#hasError = false
  }

  end(reason: string): void {
    this.#reason = reason
    // The SDK may have asked again after an error. A provider that says nothing better than `other` has not answered.
    this.#hasError &&= reason === 'other'
  }

  /** An error came: of the call itself, or of what was to come after it. */
  fail(): void {
    this.#hasError = true
  }

  /** Whether it ended without an answer: with an error, or after one and for no reason. */
  get isBroken(): boolean {
    return isBroken(this.#reason ?? '') || (this.#hasError && this.#reason === 'other')
  }

  /** Whether the model still has to answer, so that the run is not over. */
  get isOpen(): boolean {
    return this.#reason === null || this.isBroken || (this.#hasError && this.#reason === 'tool-calls')
  }
}

export function isBroken(reason: string | undefined): boolean {
  return reason !== undefined && BROKEN.has(reason)
}
