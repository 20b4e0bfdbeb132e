import type { JsonObject } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Talk } from '../conversations.ts'
import { counter, type FileNative, time, lengthOf } from './file-native.ts'

export const inspect: FileNative = {
  name: 'inspect',
  title: 'Inspect',
  countItems: file =>
    lengthOf(
      file.flatMap(({ samples }) => (Array.isArray(samples) ? samples.filter(isJsonObject) : [])),
      'messages',
    ),
  saysFailure: true,
  write: talks => [
    {
      version: 2,
      status: 'success',
      eval: { eval_id: 'eval-0', run_id: 'run-0', created: time(0), task: 'parcels', model: 'openai/gpt-5' },
      plan: { name: 'plan', steps: [{ solver: 'generate', params: {} }] },
      results: { total_samples: talks.length, completed_samples: talks.length },
      stats: { started_at: time(0), completed_at: time(9) },
      samples: talks.map((talk, index) => ({
        id: index,
        epoch: 1,
        input: 'Where is my parcel?',
        target: 'At the depot',
        messages: inspectMessages(talk),
        output: { model: 'gpt-5', choices: [], usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 } },
        scores: { includes: { value: 'C', explanation: 'It is in there.' } },
        metadata: {},
        store: {},
        events: [],
        model_usage: { 'openai/gpt-5': { input_tokens: 10, output_tokens: 4, total_tokens: 14 } },
        attachments: {},
      })),
    },
  ],
}

function inspectMessages({ system, turns }: Talk): JsonObject[] {
  const next = counter('message')
  const model = 'gpt-5'
  return [
    ...(system === null ? [] : [{ id: next(), content: system, source: 'input', role: 'system' }]),
    ...turns.flatMap(({ prompt, steps, answer }): JsonObject[] => [
      { id: next(), content: prompt, source: 'input', role: 'user' },
      ...steps.flatMap(({ text, thought, calls }): JsonObject[] => [
        {
          id: next(),
          content: [
            ...(thought === null
              ? []
              : [{ type: 'reasoning', reasoning: thought, signature: 'c2ln', redacted: false }]),
            ...(text === null ? [] : [{ type: 'text', text }]),
          ],
          source: 'generate',
          role: 'assistant',
          tool_calls: calls.map(({ id, name, input }) => ({ id, function: name, arguments: input, type: 'function' })),
          model,
        },
        ...calls.map(({ id, name, output, failed }) => ({
          id: next(),
          content: failed ? '' : output,
          role: 'tool',
          tool_call_id: id,
          function: name,
          ...(failed ? { error: { type: 'unknown', message: output } } : {}),
        })),
      ]),
      ...(answer === null ? [] : [{ id: next(), content: answer, source: 'generate', role: 'assistant', model }]),
    ]),
  ]
}
