import type { JsonValue } from '../basics/json.js'
import type { ToolCallRecord, TurnHead } from '../records/models.js'
import { endOfPiece, fold } from './fold.js'
import type { Terms } from './terms.js'

/** Where a turn has a term. */
export type SearchField = 'prompt' | 'responseContent' | 'toolName' | 'arguments' | 'result' | 'error'

/** The order in which fields are preferred. Arguments and results are one. */
const ranks: { readonly [Field in SearchField]: number } = {
  prompt: 0,
  responseContent: 1,
  toolName: 2,
  arguments: 3,
  result: 3,
  error: 4,
}

/** The place where a turn has the first term. */
export interface Place {
  readonly field: SearchField
  /** The index of the tool call; 0 for other fields. */
  readonly call: number
  readonly text: string
}

/** Text is folded in pieces of this many UTF-16 units, so that others can run in between. */
const PIECE = 16_384

/**
 * Whether a turn matches, as its texts come in: first its head, then its calls in order. It keeps what it has seen, not
 * the texts, except one that has the first term. Its methods pause with `yield`.
 */
export class TurnMatch {
  readonly #terms: Terms
  /** One bit for each term that was found. */
  found: number
  first: Place | null
  /** How many UTF-16 units were examined. */
  examined = 0

  constructor(terms: Terms, found = 0, first: Place | null = null) {
    this.#terms = terms
    this.found = found
    this.first = first
  }

  get isMatch(): boolean {
    return this.found === 2 ** this.#terms.folded.length - 1
  }

  /** Whether no tool call can change the result. */
  get isDecided(): boolean {
    return this.isMatch && this.first !== null && ranks[this.first.field] <= ranks.responseContent
  }

  *head({ prompt, responseContent, error }: Pick<TurnHead, 'prompt' | 'responseContent' | 'error'>): Generator<void> {
    yield* this.#text(prompt, 'prompt', 0)
    yield* this.#text(responseContent ?? '', 'responseContent', 0)
    yield* this.#text(error ?? '', 'error', 0)
  }

  *call(call: Pick<ToolCallRecord, 'toolName' | 'arguments' | 'result'>, index: number): Generator<void> {
    yield* this.#text(call.toolName, 'toolName', index)
    yield* this.#values(call.arguments, 'arguments', index)
    yield* this.#values(call.result, 'result', index)
  }

  /** Values in their order, each alone. A stack of its own, since values may be deep. */
  *#values(value: JsonValue, field: SearchField, call: number): Generator<void> {
    const waiting: JsonValue[] = [value]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next === null) continue
      if (typeof next === 'object') {
        const values = Object.values(next)
        for (let index = values.length - 1; index >= 0; index--) waiting.push(values[index] ?? null)
        if (waiting.length > PIECE) yield
      } else yield* this.#text(String(next), field, call)
    }
  }

  *#text(text: string, field: SearchField, call: number): Generator<void> {
    const isBetter = this.first === null || ranks[field] < ranks[this.first.field]
    if (text === '' || (this.isMatch && !isBetter)) return
    this.examined += text.length
    const seen = this.found
    this.found &= ~1
    if (text.length <= PIECE) this.#look(fold(text))
    else yield* this.#pieces(text)
    if ((this.found & 1) !== 0 && isBetter) this.first = { field, call, text }
    this.found |= seen
  }

  /** A term may begin in one piece and end in the next. */
  *#pieces(text: string): Generator<void> {
    const overlap = Math.max(...this.#terms.folded.map(({ length }) => length)) - 1
    let before = ''
    for (let from = 0; from < text.length;) {
      const end = endOfPiece(text, from, PIECE)
      const folded = before + fold(text.slice(from, end))
      this.#look(folded)
      before = overlap === 0 ? '' : folded.slice(-overlap)
      from = end
      yield
    }
  }

  #look(folded: string): void {
    this.#terms.folded.forEach((term, index) => {
      if ((this.found & (1 << index)) === 0 && folded.includes(term)) this.found |= 1 << index
    })
  }
}
