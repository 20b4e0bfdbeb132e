import type { JsonObject, JsonValue } from '@turnstore/core'
import type { Talk } from '../conversations.ts'
import { counter, type FileNative, time, lengthOf } from './file-native.ts'

function geminiMessages({ turns }: Talk): JsonObject[] {
  const next = counter('message')
  const made = (type: string, content: JsonValue, others: JsonObject = {}): JsonObject => {
    const id = next()
    return { id, timestamp: time(Number(id.split('-')[1])), type, content, ...others }
  }
  return turns.flatMap(({ prompt, steps, answer }) => [
    made('user', [{ text: prompt }], { displayContent: 'What the person typed' }),
    made('info', 'Update successful! Restart to use it.'),
    ...steps.map(({ text, thought, calls }) =>
      made('gemini', text ?? '', {
        thoughts: thought === null ? [] : [{ subject: 'A thought', description: thought, timestamp: time(1) }],
        tokens: { input: 10, output: 2, cached: 0, thoughts: 1, tool: 0, total: 13 },
        model: 'gemini-2.5-pro',
        toolCalls: calls.map(({ id, name, input, output, failed }) => ({
          id,
          name,
          args: input,
          result: [{ functionResponse: { id, name, response: failed ? { error: output } : { output } } }],
          status: failed ? 'error' : 'success',
          timestamp: time(1),
          displayName: 'A Tool',
          description: 'Does what it is told to do',
          resultDisplay: 'Shown to the person',
          renderOutputAsMarkdown: false,
        })),
      }),
    ),
    ...(answer === null ? [] : [made('gemini', answer, { thoughts: [], tokens: null, model: 'gemini-2.5-pro' })]),
  ])
}

export const geminiCli: FileNative = {
  name: 'gemini-cli',
  title: 'Gemini CLI in JSON',
  countItems: file => lengthOf(file, 'messages'),
  saysFailure: true,
  write: talks =>
    talks.map((talk, index) => ({
      sessionId: `session-${index}`,
      projectHash: 'c0ffee',
      startTime: time(0),
      lastUpdated: time(9),
      messages: geminiMessages(talk),
    })),
}

export const geminiCliLines: FileNative = {
  name: 'gemini-cli',
  title: 'Gemini CLI in lines',
  countItems: file => new Set(file.flatMap(({ id }) => id ?? [])).size,
  saysFailure: true,
  hasLines: true,
  isSingle: true,
  write: ([talk]) =>
    talk === undefined
      ? []
      : [
          { sessionId: 'session-0', projectHash: 'c0ffee', startTime: time(0), lastUpdated: time(0), kind: 'main' },
          ...geminiMessages(talk).flatMap(({ toolCalls, tokens, ...message }): JsonObject[] => [
            { ...message, ...(tokens === undefined ? {} : { tokens: null }) },
            { $set: { lastUpdated: time(1) } },
            ...(toolCalls === undefined ? [] : [{ ...message, tokens: tokens ?? null, toolCalls }]),
          ]),
        ],
}
