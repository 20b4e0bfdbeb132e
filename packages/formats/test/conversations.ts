import type { JsonObject, JsonValue } from '@turnstore/core'
import fc from 'fast-check'

/** A conversation, said in no format. */
export interface Talk {
  readonly system: string | null
  readonly turns: readonly Exchange[]
}

export interface Exchange {
  readonly prompt: string
  readonly picture: boolean
  readonly steps: readonly Step[]
  /** Null if the assistant has not answered. Only in the last turn. */
  readonly answer: string | null
}

export interface Step {
  readonly text: string | null
  readonly thought: string | null
  readonly calls: readonly Call[]
}

export interface Call {
  readonly id: string
  readonly name: string
  readonly input: JsonObject
  readonly output: string
  readonly failed: boolean
}

export const PICTURE = 'iVBORw0KGgo='

const words = fc.array(
  fc.constantFrom('Where', 'parcel', '42', 'größe', '{"a":1}', '😀', '<b>', 'line\nbreak', '"', '\\'),
  {
    minLength: 1,
    maxLength: 5,
  },
)
const text: fc.Arbitrary<string> = words.map(each => each.join(' '))

const scalar: fc.Arbitrary<JsonValue> = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null))
const input: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom('a', 'city', 'query', 'text'),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })),
)

interface Draft {
  readonly system: string | null
  readonly turns: readonly (Omit<Exchange, 'steps' | 'answer'> & {
    readonly answer: string
    readonly steps: readonly (Omit<Step, 'calls'> & { readonly calls: readonly Omit<Call, 'id'>[] })[]
  })[]
  readonly isOpen: boolean
}

const draft: fc.Arbitrary<Draft> = fc.record({
  system: fc.option(text, { nil: null }),
  isOpen: fc.boolean(),
  turns: fc.array(
    fc.record({
      prompt: text,
      picture: fc.boolean(),
      answer: text,
      steps: fc.array(
        fc.record({
          text: fc.option(text, { nil: null }),
          thought: fc.option(text, { nil: null }),
          calls: fc.array(
            fc.record({ name: fc.constantFrom('search', 'read_file', 'f'), input, output: text, failed: fc.boolean() }),
            { minLength: 1, maxLength: 3 },
          ),
        }),
        { maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})

/** Texts are not empty, and each call has an id of its own. */
export const talks: fc.Arbitrary<Talk> = draft.map(({ system, turns, isOpen }) => {
  let count = 0
  return {
    system,
    turns: turns.map((turn, index) => ({
      ...turn,
      answer: isOpen && index === turns.length - 1 ? null : turn.answer,
      steps: turn.steps.map(step => ({ ...step, calls: step.calls.map(call => ({ ...call, id: `call_${count++}` })) })),
    })),
  }
})
