import { parseJsonText } from '../middle/json-text.js'
import type { ChatMessage, JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import type {
  Conversation,
  FileDialect,
  Fit,
  MessageDialect,
  Reading,
  WriteOptions,
  Written,
} from '../middle/dialect.js'
import { conversation, objectsOf } from '../middle/entries.js'
import { assistant, call, result, system, takeText, textIn, user, without } from '../middle/say.js'
import { loseFailures, stepsOf } from '../middle/steps.js'

/**
 * ShareGPT: `{ from, value }`, with the calls that data sets of tools add to it. Files have `{ conversations }`, one, a
 * list, or one a line.
 */
export const shareGpt: MessageDialect & FileDialect = {
  name: 'sharegpt',
  title: 'ShareGPT',

  fit: ({ from, value }): Fit => (typeof from === 'string' && typeof value === 'string' ? 'sure' : 'no'),

  facts: new Set(),

  read(message, { tell }): Reading {
    const { from, value = null } = message
    const said = readEntry(from, textIn(message, 'value'))
    if (said === null) tell('is from an unknown role; kept, but not read')
    else if (typeof value !== 'string') tell('has a value that is not text; kept, but not read')
    // A call is read in full, or its text is the argument.
    const asides = said?.role === 'assistant' && said.calls.length > 0 ? [textIn(message, 'value')] : []
    return { said: said === null ? [] : [said], asides }
  },

  write: writeEntries,

  unit: 'record',
  belonging: () => isRecord,
  split: records => records.map(splitRecord),
}

function splitRecord(record: JsonObject): Conversation {
  const entries = objectsOf(record.conversations) ?? []
  // Some data sets have the system prompt beside the messages.
  const { text: system, others } = takeText(without(record, ['conversations']), 'system')
  const prompt = system === '' ? [] : [{ from: 'system', value: system }]
  const { others: source } = takeText(others, 'id')
  return conversation([...prompt, ...entries], {
    sessionId: textIn(record, 'id') || null,
    metadata: Object.keys(source).length === 0 ? {} : { source },
  })
}

function isRecord({ conversations }: JsonObject): boolean {
  return (
    Array.isArray(conversations) &&
    conversations.length > 0 &&
    conversations.every(each => isJsonObject(each) && typeof each.from === 'string' && 'value' in each)
  )
}

const userNames = new Set<JsonValue | undefined>(['human', 'user'])
const assistantNames = new Set<JsonValue | undefined>([
  'gpt',
  'assistant',
  'model',
  'chatgpt',
  'bing',
  'bard',
  'claude',
])
const resultNames = new Set<JsonValue | undefined>([
  'observation',
  'tool',
  'function_response',
  'tool_response',
  'function',
])
const callNames = new Set<JsonValue | undefined>(['function_call', 'tool_call'])

function readEntry(from: JsonValue | undefined, value: string): ReadMessage | null {
  if (userNames.has(from)) return user(value)
  if (assistantNames.has(from)) return assistant(value)
  if (from === 'system') return system(value)
  // Results name no call: they answer in order.
  if (resultNames.has(from)) return result({ id: '', name: '', value })
  if (!callNames.has(from)) return null
  const { name, written } = readCall(value)
  return assistant(undefined, [{ ...call('', '', written), name }])
}

function readCall(value: string): { name: string; written: JsonValue } {
  const parsed = parseJsonText(value)
  if (isJsonObject(parsed) && Object.keys(parsed).length === 2) {
    const name = textIn(parsed, 'name', 'tool')
    const written = parsed.arguments ?? parsed.parameters
    if (name !== '' && written !== undefined) return { name, written: { ...asObject(written) } }
  }
  // Data sets have other notations of calls; their text is the argument.
  return { name: 'unnamed', written: { call: value } }
}

function asObject(written: JsonValue): JsonObject {
  return isJsonObject(written) ? written : { arguments: written }
}

function writeEntries(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { lose } = options
  const written = stepsOf(messages, options).flatMap((step): JsonObject[] => {
    if (step.role === 'system') return [{ from: 'system', value: step.text }]
    if (step.role === 'user') {
      const texts = step.parts.flatMap(part => (part.type === 'text' ? [part.text] : []))
      if (texts.length < step.parts.length) lose('media')
      return texts.length === 0 ? [] : [{ from: 'human', value: texts.join('\n') }]
    }
    const { texts, calls } = step
    if (calls.length > 0) lose('call ids')
    loseFailures(calls, lose)
    return [
      ...(texts.length === 0 ? [] : [{ from: 'gpt', value: texts.join('\n') }]),
      ...calls.flatMap(({ name, input, output }) => [
        { from: 'function_call', value: JSON.stringify({ name, arguments: input }) },
        { from: 'observation', value: output },
      ]),
    ]
  })
  return { messages: written }
}
