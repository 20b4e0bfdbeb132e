/*
 * A chat-completions API with streaming. Set OPENAI_API_KEY for the real one, and MODEL to choose. Without a key, a fake
 * model answers.
 */
import { fakeModel } from './fake-model.mjs'

/** Resolves to the assistant's message. `onText` is called with the text so far, as it comes. */
export async function complete(messages, onText) {
  const response = process.env.OPENAI_API_KEY === undefined ? fakeModel(messages) : openai(messages)
  const message = { role: 'assistant', content: null }
  for await (const { content, tool_calls: calls = [] } of response) {
    if (content) {
      message.content = (message.content ?? '') + content
      await onText(message.content)
    }
    for (const { index, id, function: part } of calls) {
      message.tool_calls ??= []
      const call = (message.tool_calls[index] ??= { id, type: 'function', function: { name: '', arguments: '' } })
      call.function.name += part.name ?? ''
      call.function.arguments += part.arguments ?? ''
    }
  }
  return message
}

/** Yields the deltas of a streamed completion. */
async function* openai(messages) {
  const parameters = { type: 'object', properties: { of: { type: 'string' } }, required: ['of'] }
  const { body, ok, status } = await fetch('https://api.openai.com/v1/chat/completions', {
    method: 'POST',
    headers: { authorization: `Bearer ${process.env.OPENAI_API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: process.env.MODEL ?? 'gpt-5-mini',
      stream: true,
      messages,
      tools: [
        { type: 'function', function: { name: 'stock', description: 'Counts what is on the shelf', parameters } },
      ],
    }),
  })
  if (!ok) throw new Error(`the model answered with status ${status}`)
  let rest = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      if (line.startsWith('data: {')) yield JSON.parse(line.slice(6)).choices[0]?.delta ?? {}
    }
  }
}
