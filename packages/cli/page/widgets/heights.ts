/** The heights of the rows of a long list: measured where a row was shown, guessed elsewhere. */
export class Heights {
  readonly #guess: number
  readonly #measured: (number | undefined)[] = []
  /** `#tops[i]` is where row i begins. Valid up to `#valid`. */
  readonly #tops: number[] = [0]
  #valid = 0

  constructor(guess: number) {
    this.#guess = guess
  }

  /** Whether the height is another one than before. */
  set(index: number, height: number): boolean {
    if (Math.abs((this.#measured[index] ?? -1) - height) < 0.5) return false
    this.#measured[index] = height
    this.#valid = Math.min(this.#valid, index)
    return true
  }

  top(index: number): number {
    for (; this.#valid < index; this.#valid++) {
      this.#tops[this.#valid + 1] = (this.#tops[this.#valid] ?? 0) + (this.#measured[this.#valid] ?? this.#guess)
    }
    return this.#tops[index] ?? 0
  }

  /** The last row of the first `count` that begins at or before `y`. */
  rowAt(y: number, count: number): number {
    let low = 0
    for (let high = count - 1; low < high;) {
      const middle = (low + high + 1) >> 1
      if (this.top(middle) <= y) low = middle
      else high = middle - 1
    }
    return low
  }
}
