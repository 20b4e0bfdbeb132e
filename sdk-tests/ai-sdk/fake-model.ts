import type { UIMessage } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'

type Generate = Extract<MockLanguageModelV4['doGenerate'], (...args: never[]) => unknown>
type Options = Parameters<Generate>[0]
type Content = Awaited<ReturnType<Generate>>['content'][number]
export type Prompt = Options['prompt']

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
}

/** Answers what its function says, whether it is asked to stream or not. */
export function fakeModel(
  answer: (prompt: Prompt, count: number) => Content[] | Promise<Content[]>,
): MockLanguageModelV4 {
  let count = 0
  const reasonFor = (content: readonly Content[]): 'tool-calls' | 'stop' =>
    content.some(({ type }) => type === 'tool-call') ? 'tool-calls' : 'stop'
  return new MockLanguageModelV4({
    // The provider gets files by their URLs; nothing is downloaded.
    supportedUrls: { '*/*': [/^https:/] },
    doGenerate: async ({ prompt }) => {
      const content = await answer(prompt, ++count)
      return { content, finishReason: { unified: reasonFor(content), raw: undefined }, usage, warnings: [] }
    },
    doStream: async ({ prompt }) => {
      const content = await answer(prompt, ++count)
      const parts = content.flatMap((part, index): StreamPart[] => streamed(part, `${count}-${index}`))
      const finishReason = { unified: reasonFor(content), raw: undefined }
      return {
        stream: new ReadableStream<StreamPart>({
          start(controller) {
            controller.enqueue({ type: 'stream-start', warnings: [] })
            for (const part of parts) controller.enqueue(part)
            controller.enqueue({ type: 'finish', finishReason, usage })
            controller.close()
          },
        }),
      }
    },
  })
}

type StreamPart =
  Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream'] extends ReadableStream<infer Part> ? Part : never

function streamed(part: Content, id: string): StreamPart[] {
  if (part.type === 'text') {
    const { text } = part
    return [
      { type: 'text-start', id },
      { type: 'text-delta', id, delta: text.slice(0, 3) },
      { type: 'text-delta', id, delta: text.slice(3) },
      { type: 'text-end', id },
    ]
  }
  if (part.type === 'reasoning') {
    const { text, providerMetadata } = part
    const signed = providerMetadata === undefined ? {} : { providerMetadata }
    return [
      { type: 'reasoning-start', id },
      { type: 'reasoning-delta', id, delta: text },
      { type: 'reasoning-end', id, ...signed },
    ]
  }
  return [part]
}

export const wants = (toolCallId: string, toolName: string, input: object = {}): Content => ({
  type: 'tool-call',
  toolCallId,
  toolName,
  input: JSON.stringify(input),
})

export const says = (text: string): Content => ({ type: 'text', text })

export const thinks = (text: string): Content => ({
  type: 'reasoning',
  text,
  providerMetadata: { fake: { signature: `signed ${text}` } },
})

/** The results that the model sees, since the last question. */
export function resultsIn(prompt: Prompt): string[] {
  const asked = prompt.findLastIndex(({ role }) => role === 'user')
  return prompt
    .slice(asked)
    .flatMap(message =>
      message.role === 'tool'
        ? message.content.flatMap(part => (part.type === 'tool-result' ? [part.toolCallId] : []))
        : [],
    )
}

export const user = (id: string, text = id): UIMessage => ({ id, role: 'user', parts: [{ type: 'text', text }] })
