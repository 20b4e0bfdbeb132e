import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'

const PROTOCOL = 'attachment://'
/** Deeper than any log; a file may be nested without end. */
const MAX_DEPTH = 200

/** Large contents of a sample, which stand apart and are referred to by their hash. */
export class Attachments {
  readonly #contents: JsonObject
  readonly #size: number
  readonly #used = new Set<string>()

  constructor(contents: JsonValue | undefined) {
    this.#contents = isJsonObject(contents) ? contents : {}
    this.#size = Attachments.sizeOf(contents)
  }

  /** How much stands under a name. */
  static sizeOf(value: JsonValue | undefined): number {
    if (value === undefined || value === null || value === '') return 0
    return typeof value === 'object' ? Object.keys(value).length : 1
  }

  /** How many no value refers to that was resolved so far. */
  get unused(): number {
    return this.#size - this.#used.size
  }

  /** The value with the contents in the places of the references. */
  resolve<Value extends JsonValue>(value: Value): Value
  resolve(value: JsonValue): JsonValue {
    return this.#resolve(value, 0)
  }

  #resolve(value: JsonValue, depth: number): JsonValue {
    if (typeof value === 'string') return this.#contentOf(value)
    if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value
    if (Array.isArray(value)) return value.map(each => this.#resolve(each, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#resolve(each, depth + 1)]))
  }

  #contentOf(text: string): string {
    if (!text.startsWith(PROTOCOL)) return text
    const hash = text.slice(PROTOCOL.length)
    const content = Object.hasOwn(this.#contents, hash) ? this.#contents[hash] : undefined
    if (typeof content !== 'string') return text
    this.#used.add(hash)
    return content
  }
}
