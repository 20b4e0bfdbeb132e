const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const CLOSING_BRACE = 0x7d

export const COMMA = 0x2c
export const BRACE = 0x7b
export const BRACKET = 0x5b
export const CLOSING_BRACKET = 0x5d

/** Tracks the brackets of one JSON value across lines, and ignores everything else in it. */
export class ValueScanner {
  #depth = 0
  #isEscaped = false
  /** The last non-blank byte outside a string. */
  #last = 0
  /** If true at the end of a line, the value is not JSON: strings contain no line breaks. */
  isInText = false

  /** Whether a value may come next. */
  get takesValue(): boolean {
    return this.#last === COMMA || this.#last === COLON || this.#last === BRACKET
  }

  /** Scans a line from `from`. Returns the offset where the value ends, or null if it continues. */
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
