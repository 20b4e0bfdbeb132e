import type { ChatMessage, JsonObject, UserPart } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, WriteOptions, Written } from '../middle/dialect.js'
import { writtenPart } from '../middle/parts.js'
import { loseFailures, stepsOf } from '../middle/steps.js'
import { hasItemContent, isCall, isOpenAiType, isResult, itemFacts, itemType, readItem } from './openai-items.js'

/** Items of a session of OpenAI's Agents SDK. */
export const openAiAgents: MessageDialect = {
  name: 'openai-agents',
  title: 'OpenAI Agents items',

  fit(item): Fit {
    const type = itemType(item)
    if (type === '') return 'no'
    if ('call_id' in item || 'tool_calls' in item || 'parts' in item || 'encrypted_content' in item) return 'no'
    if (type === 'hosted_tool_call' || type === 'compaction' || type === 'unknown') return 'sure'
    if (isCall(type) || isResult(type)) return 'callId' in item ? 'sure' : 'no'
    if (type === 'reasoning') return 'summary' in item ? 'no' : 'sure'
    if (type !== 'message') return isOpenAiType(type) ? 'could' : 'no'
    const { content } = item
    if (typeof content === 'string') return 'could'
    if (!hasItemContent(content) || !Array.isArray(content)) return 'no'
    const isOther = content.some(
      part => isJsonObject(part) && ('image_url' in part || 'file_id' in part || 'file_data' in part),
    )
    return isOther ? 'no' : content.some(part => isJsonObject(part) && 'annotations' in part) ? 'could' : 'sure'
  },

  facts: itemFacts,
  read: readItem,
  write: writeItems,
}

function writeItems(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const written = stepsOf(messages, options).flatMap((step): JsonObject[] => {
    if (step.role === 'system') return [{ type: 'message', role: 'system', content: step.text }]
    if (step.role === 'user') return [{ type: 'message', role: 'user', content: step.parts.map(writePart) }]
    const { texts, calls } = step
    loseFailures(calls, options.lose)
    const status = 'completed'
    const content = texts.map(text => ({ type: 'output_text', text }))
    return [
      ...(texts.length === 0 ? [] : [{ type: 'message', role: 'assistant', status, content }]),
      ...calls.map(({ id, name, input }) => ({
        type: 'function_call',
        callId: id,
        name,
        arguments: JSON.stringify(input),
        status,
      })),
      ...calls.map(({ id, name, output }) => ({
        type: 'function_call_result',
        callId: id,
        name,
        status,
        output: { type: 'text', text: output },
      })),
    ]
  })
  return { messages: written }
}

function writePart(part: UserPart): JsonObject {
  if (part.type === 'image_url') {
    const { url, detail } = part.image_url
    return { type: 'input_image', image: url, ...(detail === undefined ? {} : { detail }) }
  }
  if (part.type === 'input_audio')
    return { type: 'audio', audio: part.input_audio.data, format: part.input_audio.format }
  const written = writtenPart(part)
  if (written.kind === 'text') return { type: 'input_text', text: written.text }
  if (written.kind === 'uploaded') return { type: 'input_file', file: { id: written.fileId } }
  if (written.kind === 'url') return { type: 'input_file', file: { url: written.url } }
  const { mediaType, data, filename } = written
  return {
    type: 'input_file',
    file: `data:${mediaType};base64,${data}`,
    ...(filename === undefined ? {} : { filename }),
  }
}
