import type { JsonObject } from '@turnstore/core'
import { PICTURE } from './conversations.ts'
import { gemini, langChain, shareGpt } from './native-others.ts'
import { dataUrl, type Native, native, texts, thoughts } from './native-style.ts'

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
