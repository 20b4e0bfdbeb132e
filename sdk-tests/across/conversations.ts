import fc from 'fast-check'
import { type Exchange, type Talk, talks } from '../../packages/formats/test/conversations.ts'

/** A conversation, and what is odd about it. */
export interface Conversation {
  readonly talk: Talk
  /** How the last exchange ends: with an answer, with the question, or while its last call has no result. */
  readonly ending: 'answer' | 'question' | 'call'
  /** Which of an SDK's odd exchanges come before it. */
  readonly odd: readonly number[]
}

const drafts = fc.record({
  talk: talks,
  ending: fc.constantFrom('answer', 'answer', 'question', 'call'),
  odd: fc.array(fc.nat(100), { maxLength: 3 }),
  isEmpty: fc.record({ outputs: fc.boolean(), answers: fc.boolean() }),
})

const someCall = {
  text: null,
  thought: null,
  calls: ['a', 'b'].map(id => ({ id: `last_${id}`, name: 'search', input: { of: id }, output: 'ö', failed: false })),
}

const conversations: fc.Arbitrary<Conversation> = drafts.map(({ talk, ending, odd, isEmpty }) => {
  const turns = talk.turns.map((turn, index): Exchange => {
    const steps = turn.steps.map(step => ({
      ...step,
      calls: step.calls.map(call => (isEmpty.outputs && index % 2 === 0 ? { ...call, output: '' } : call)),
    }))
    const answer = isEmpty.answers && index % 2 === 1 ? '' : (turn.answer ?? 'Yes.')
    if (index < talk.turns.length - 1 || ending === 'answer') return { ...turn, steps, answer }
    if (ending === 'question') return { ...turn, steps: [], answer: null }
    return { ...turn, steps: [...steps, someCall], answer: null }
  })
  return { talk: { ...talk, turns }, ending, odd }
})

/** The same ones each time. */
export function someConversations(count: number, seed: number): Conversation[] {
  return fc.sample(conversations, { numRuns: count, seed })
}

/** Odd exchanges, as a conversation chooses them, each at most once. */
export function chosen<Each>({ odd }: Conversation, choices: readonly Each[]): Each[] {
  return [...new Set(odd.map(number => number % choices.length))].flatMap(index => choices[index] ?? [])
}

/** What a model has to read, whichever SDK asks it: the questions, and what answered them. */
export function textsOf({ talk }: Conversation): string[] {
  return talk.turns.flatMap(({ prompt, steps, answer }) => {
    const outputs = steps.flatMap(({ calls }) => calls.map(({ output }) => output))
    // Outputs that are JSON become JSON.
    return answer === null ? [prompt] : [prompt, answer, ...outputs.filter(output => !/^\s*["[{\d]/.test(output))]
  })
}

/** All texts in a value. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
