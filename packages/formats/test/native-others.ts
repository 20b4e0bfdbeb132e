import { type Call, PICTURE } from './conversations.ts'
import { dataUrl, type Native, native, texts, thoughts } from './native-style.ts'

export const gemini: Native = native('gemini', {
  hasPictures: true,
  saysFailure: true,
  user: ({ prompt, picture }) => [
    {
      role: 'user',
      parts: [{ text: prompt }, ...(picture ? [{ inlineData: { mimeType: 'image/png', data: PICTURE } }] : [])],
    },
  ],
  step: step => [
    {
      role: 'model',
      parts: [
        ...thoughts(step).map(text => ({ text, thought: true })),
        ...texts(step).map(text => ({ text })),
        // The API gives no ids.
        ...step.calls.map(({ name, input }) => ({ functionCall: { name, args: input }, thoughtSignature: 'c2ln' })),
      ],
    },
    {
      role: 'user',
      parts: step.calls.map(({ name, output, failed }) => ({
        functionResponse: { name, response: failed ? { error: output } : { output } },
      })),
    },
  ],
  answer: text => [{ role: 'model', parts: [{ text }] }],
})

export const langChain: Native = native('langchain', {
  hasPictures: true,
  saysFailure: true,
  system: content => [{ type: 'system', data: { content, type: 'system' } }],
  user: ({ prompt, picture }) => [
    {
      type: 'human',
      data: {
        type: 'human',
        content: picture
          ? [
              { type: 'text', text: prompt },
              { type: 'image_url', image_url: { url: dataUrl } },
            ]
          : prompt,
      },
    },
  ],
  step: ({ text, calls }) => [
    {
      lc: 1,
      type: 'constructor',
      id: ['langchain_core', 'messages', 'AIMessage'],
      kwargs: {
        content: text ?? '',
        tool_calls: calls.map(({ id, name, input }) => ({ name, args: input, id, type: 'tool_call' })),
        invalid_tool_calls: [],
        additional_kwargs: {
          tool_calls: calls.map(({ id, name, input }) => ({
            id,
            type: 'function',
            function: { name, arguments: JSON.stringify(input) },
          })),
        },
      },
    },
    ...calls.map(({ id, name, output, failed }) => ({
      type: 'tool',
      content: output,
      name,
      tool_call_id: id,
      status: failed ? 'error' : 'success',
    })),
  ],
  answer: content => [{ type: 'ai', data: { content, type: 'ai', tool_calls: [] } }],
})

export const shareGpt: Native = native('sharegpt', {
  system: value => [{ from: 'system', value }],
  user: ({ prompt }) => [{ from: 'human', value: prompt }],
  step: step => [
    ...texts(step).map(value => ({ from: 'gpt', value })),
    ...step.calls.flatMap(({ name, input, output }: Call) => [
      { from: 'function_call', value: JSON.stringify({ name, arguments: input }) },
      { from: 'observation', value: output },
    ]),
  ],
  answer: value => [{ from: 'gpt', value }],
})
