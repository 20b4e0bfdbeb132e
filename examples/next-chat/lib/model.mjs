import { simulateReadableStream } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'

/** With AI_GATEWAY_API_KEY, a real model. Without, one that always looks for sencha. */
export const model = process.env.AI_GATEWAY_API_KEY === undefined ? fake() : (process.env.MODEL ?? 'openai/gpt-6-luna')

function fake() {
  return new MockLanguageModelV4({
    doStream: async ({ prompt }) => {
      const isAnswered = prompt.at(-1).role === 'tool'
      const parts = isAnswered ? answer(prompt) : call()
      const finish = {
        type: 'finish',
        finishReason: { unified: isAnswered ? 'stop' : 'tool-calls' },
        usage: { inputTokens: {}, outputTokens: {} },
      }
      return { stream: simulateReadableStream({ chunks: [...parts, finish], chunkDelayInMs: 60 }) }
    },
  })
}

function call() {
  return [{ type: 'tool-call', toolCallId: crypto.randomUUID(), toolName: 'stock', input: '{"tea":"sencha"}' }]
}

function answer(prompt) {
  const questions = prompt.filter(({ role }) => role === 'user').length
  const text = `There are seven boxes of sencha. You have asked ${questions} ${questions === 1 ? 'time' : 'times'}.`
  const deltas = text.split(/(?<= )/).map(delta => ({ type: 'text-delta', id: 't', delta }))
  return [{ type: 'text-start', id: 't' }, ...deltas, { type: 'text-end', id: 't' }]
}
