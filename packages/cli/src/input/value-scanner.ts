const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const CLOSING_BRACE = 0x7d

export const COMMA = 0x2c
export const BRACE = 0x7b
export const BRACKET = 0x5b
export const CLOSING_BRACKET = 0x5d

/** Follows the brackets of one JSON value over any number of lines, without a look at anything else in it. */
export class ValueScanner {
  #depth = 0
  #isEscaped = false
  /** The last byte outside of a text that is no blank. */
  #last = 0
  /** At the end of a line no JSON is: a text has no line break. */
  isInText = false

  /** Whether a value may follow what was scanned so far. */
  get takesValue(): boolean {
    return this.#last === COMMA || this.#last === COLON || this.#last === BRACKET
  }

  /** Goes on with a line. Gives where the value ends in it, or null where it does not. */
  scan(content: Buffer, from: number): number | null {
    for (let at = from; at < content.length; at++) {
      const byte = content[at] ?? 0
      if (this.isInText) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (byte === BACKSLASH) this.#isEscaped = true
        else if (byte === QUOTE) this.isInText = false
        continue
      }
      if (byte > 0x20) this.#last = byte
      if (byte === QUOTE) this.isInText = true
      else if (byte === BRACE || byte === BRACKET) this.#depth++
      else if ((byte === CLOSING_BRACE || byte === CLOSING_BRACKET) && --this.#depth <= 0) return at + 1
    }
    return null
  }
}
