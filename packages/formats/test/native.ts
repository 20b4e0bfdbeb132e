import type { JsonObject } from '@turnstore/core'
import { type Call, type Exchange, PICTURE, type Step, type Talk } from './conversations.ts'

/*
 * A conversation as each SDK writes it, from the types of the packages that docs/formats.md names. Written apart from
 * what the package writes.
 */

interface Style {
  readonly system?: (text: string) => JsonObject[]
  readonly user: (turn: Exchange, place: string) => JsonObject[]
  readonly step: (step: Step, place: string) => JsonObject[]
  readonly answer: (text: string, place: string) => JsonObject[]
  /** Whether it says that a call failed. */
  readonly saysFailure?: boolean
  /** The text of a message comes after its calls, and so answers. */
  readonly textIsLast?: boolean
  readonly hasCalls?: boolean
  readonly hasPictures?: boolean
  /** All steps and the answer are one message. */
  readonly joins?: (messages: JsonObject[], place: string) => JsonObject[]
}

export interface Native extends Style {
  readonly name: string
  readonly write: (talk: Talk) => JsonObject[]
}

function native(name: string, style: Style): Native {
  return {
    name,
    ...style,
    write: ({ system, turns }) => [
      ...(system === null ? [] : (style.system?.(system) ?? [])),
      ...turns.flatMap((turn, index) => {
        const place = `m${index}`
        const said = [
          ...turn.steps.flatMap((step, at) => style.step(step, `${place}-${at}`)),
          ...(turn.answer === null ? [] : style.answer(turn.answer, `${place}-a`)),
        ]
        return [...style.user(turn, place), ...(style.joins?.(said, `${place}-said`) ?? said)]
      }),
    ],
  }
}

const dataUrl = `data:image/png;base64,${PICTURE}`

function texts({ text }: Step): string[] {
  return text === null ? [] : [text]
}

function thoughts({ thought }: Step): string[] {
  return thought === null ? [] : [thought]
}

const chat = native('chat', {
  hasPictures: true,
  system: content => [{ role: 'system', content }],
  user: ({ prompt, picture }) => [
    {
      role: 'user',
      content: picture
        ? [
            { type: 'text', text: prompt },
            { type: 'image_url', image_url: { url: dataUrl } },
          ]
        : prompt,
    },
  ],
  step: ({ text, calls }) => [
    {
      role: 'assistant',
      content: text,
      tool_calls: calls.map(({ id, name, input }) => ({
        id,
        type: 'function',
        function: { name, arguments: JSON.stringify(input) },
      })),
    },
    ...calls.map(({ id, output }) => ({ role: 'tool', tool_call_id: id, content: output })),
  ],
  answer: content => [{ role: 'assistant', content }],
})

const anthropic = native('anthropic', {
  hasPictures: true,
  saysFailure: true,
  user: ({ prompt, picture }) => [
    {
      role: 'user',
      content: picture
        ? [
            { type: 'text', text: prompt },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PICTURE } },
          ]
        : prompt,
    },
  ],
  step: step => [
    {
      role: 'assistant',
      content: [
        ...thoughts(step).map(thinking => ({ type: 'thinking', thinking, signature: 'c2ln' })),
        ...texts(step).map(text => ({ type: 'text', text })),
        ...step.calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
      ],
    },
    {
      role: 'user',
      content: step.calls.map(({ id, output, failed }, index) => ({
        type: 'tool_result',
        tool_use_id: id,
        content: index === 0 ? output : [{ type: 'text', text: output }],
        ...(failed ? { is_error: true } : {}),
      })),
    },
  ],
  answer: text => [{ role: 'assistant', content: [{ type: 'text', text }] }],
})

const aiSdk = native('ai-sdk', {
  hasPictures: true,
  saysFailure: true,
  system: text => [{ id: 's', role: 'system', parts: [{ type: 'text', text }] }],
  user: ({ prompt, picture }, id) => [
    {
      id,
      role: 'user',
      parts: [
        { type: 'text', text: prompt },
        ...(picture ? [{ type: 'file', mediaType: 'image/png', filename: 'a.png', url: dataUrl }] : []),
      ],
    },
  ],
  step: step => [
    { type: 'step-start' },
    ...thoughts(step).map(text => ({ type: 'reasoning', text, state: 'done' })),
    ...texts(step).map(text => ({ type: 'text', text, state: 'done' })),
    ...step.calls.map(({ id, name, input, output, failed }, index) => ({
      ...(index === 0 ? { type: 'dynamic-tool', toolName: name } : { type: `tool-${name}` }),
      toolCallId: id,
      input,
      ...(failed ? { state: 'output-error', errorText: output } : { state: 'output-available', output }),
    })),
  ],
  answer: text => [{ type: 'step-start' }, { type: 'text', text, state: 'done' }],
  joins: (parts, id) => (parts.length === 0 ? [] : [{ id, role: 'assistant', parts }]),
})

const aiSdk4 = native('ai-sdk', {
  textIsLast: true,
  user: ({ prompt }, id) => [{ id, role: 'user', content: prompt, createdAt: '2025-02-01T10:00:00.000Z' }],
  step: (step, id) => [
    {
      id,
      role: 'assistant',
      content: step.text ?? '',
      toolInvocations: step.calls.map(({ id: toolCallId, name: toolName, input: args, output }) => ({
        state: 'result',
        toolCallId,
        toolName,
        args,
        result: output,
      })),
    },
  ],
  answer: (content, id) => [{ id, role: 'assistant', content, toolInvocations: [] }],
})

const aiSdkModel = native('ai-sdk-model', {
  hasPictures: true,
  saysFailure: true,
  system: content => [{ role: 'system', content }],
  user: ({ prompt, picture }) => [
    {
      role: 'user',
      content: [
        { type: 'text', text: prompt },
        ...(picture ? [{ type: 'file', mediaType: 'image/png', data: PICTURE }] : []),
      ],
    },
  ],
  step: step => [
    {
      role: 'assistant',
      content: [
        ...thoughts(step).map(text => ({ type: 'reasoning', text })),
        ...texts(step).map(text => ({ type: 'text', text })),
        ...step.calls.map(({ id, name, input }) => ({ type: 'tool-call', toolCallId: id, toolName: name, input })),
      ],
    },
    {
      role: 'tool',
      content: step.calls.map(({ id, name, output, failed }) => ({
        type: 'tool-result',
        toolCallId: id,
        toolName: name,
        output: { type: failed ? 'error-text' : 'text', value: output },
      })),
    },
  ],
  answer: text => [{ role: 'assistant', content: [{ type: 'text', text }] }],
})

const responses = native('openai-responses', {
  hasPictures: true,
  system: text => [{ role: 'system', content: text }],
  user: ({ prompt, picture }) => [
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: prompt },
        ...(picture ? [{ type: 'input_image', image_url: dataUrl, detail: 'auto' }] : []),
      ],
    },
  ],
  step: (step, id) => [
    ...thoughts(step).map(text => ({
      type: 'reasoning',
      id: `rs_${id}`,
      summary: [{ type: 'summary_text', text }],
      encrypted_content: 'Z0FB',
    })),
    ...texts(step).map(text => ({
      type: 'message',
      id: `msg_${id}`,
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    })),
    ...step.calls.map(({ id: callId, name, input }) => ({
      type: 'function_call',
      call_id: callId,
      name,
      arguments: JSON.stringify(input),
      status: 'completed',
    })),
    ...step.calls.map(({ id: callId, output }) => ({ type: 'function_call_output', call_id: callId, output })),
  ],
  answer: (text, id) => [
    {
      type: 'message',
      id: `msg_${id}`,
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    },
  ],
})

const agents = native('openai-agents', {
  hasPictures: true,
  system: content => [{ type: 'message', role: 'system', content }],
  user: ({ prompt, picture }) => [
    {
      type: 'message',
      role: 'user',
      content: [{ type: 'input_text', text: prompt }, ...(picture ? [{ type: 'input_image', image: dataUrl }] : [])],
    },
  ],
  step: (step, id) => [
    ...thoughts(step).map(text => ({ type: 'reasoning', id: `rs_${id}`, content: [{ type: 'input_text', text }] })),
    ...texts(step).map(text => agentSays(text, id)),
    ...step.calls.map(({ id: callId, name, input }) => ({
      type: 'function_call',
      callId,
      name,
      arguments: JSON.stringify(input),
      status: 'completed',
    })),
    ...step.calls.map(({ id: callId, name, output }) => ({
      type: 'function_call_result',
      callId,
      name,
      status: 'completed',
      output: { type: 'text', text: output },
    })),
  ],
  answer: (text, id) => [agentSays(text, id)],
})

function agentSays(text: string, id: string): JsonObject {
  return {
    type: 'message',
    id: `msg_${id}`,
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text }],
  }
}

const gemini = native('gemini', {
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

const langChain = native('langchain', {
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

const shareGpt = native('sharegpt', {
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

export const natives: readonly Native[] = [
  chat,
  anthropic,
  aiSdk,
  aiSdk4,
  aiSdkModel,
  responses,
  agents,
  gemini,
  langChain,
  shareGpt,
]
