import type { ChatMessage, JsonObject, JsonValue, UserPart } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, WriteOptions, Written } from '../middle/dialect.js'
import { writtenPart } from '../middle/parts.js'
import { loseFailures, stepsOf } from '../middle/steps.js'
import { hasItemContent, isOpenAiType, itemFacts, itemType, readItem } from './openai-items.js'

/** Items of OpenAI's Responses, as input takes and output gives them. */
export const openAiResponses: MessageDialect = {
  name: 'openai-responses',
  title: 'OpenAI Responses items',

  fit(item): Fit {
    const type = itemType(item)
    if (type === '') return 'no'
    if ('callId' in item || 'providerData' in item || 'tool_calls' in item || 'parts' in item) return 'no'
    if (type !== 'message') return isOpenAiType(type) && type !== 'hosted_tool_call' ? 'sure' : 'no'
    const { content } = item
    if (typeof content === 'string') return item.type === 'message' && typeof item.role === 'string' ? 'sure' : 'could'
    if (!hasItemContent(content) || !Array.isArray(content)) return 'no'
    if (content.some(part => isJsonObject(part) && (part.type === 'audio' || part.type === 'image' || 'image' in part)))
      return 'no'
    return 'status' in item && content.some(isWithoutAnnotations) ? 'could' : 'sure'
  },

  facts: itemFacts,
  read: readItem,
  write: writeItems,
}

/** The API gives every text it puts out its annotations. */
function isWithoutAnnotations(part: JsonValue): boolean {
  return isJsonObject(part) && part.type === 'output_text' && !('annotations' in part)
}

function writeItems(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { lose } = options
  const written = stepsOf(messages, options).flatMap((step): JsonObject[] => {
    if (step.role === 'system')
      return [{ type: 'message', role: 'system', content: [{ type: 'input_text', text: step.text }] }]
    if (step.role === 'user') {
      const content = step.parts.flatMap(part => writePart(part, lose))
      return content.length === 0 ? [] : [{ type: 'message', role: 'user', content }]
    }
    const { texts, calls } = step
    loseFailures(calls, lose)
    return [
      ...(texts.length === 0 ? [] : [{ type: 'message', role: 'assistant', content: texts.join('\n') }]),
      ...calls.map(({ id, name, input }) => ({
        type: 'function_call',
        call_id: id,
        name,
        arguments: JSON.stringify(input),
      })),
      ...calls.map(({ id, output }) => ({ type: 'function_call_output', call_id: id, output })),
    ]
  })
  return { messages: written }
}

function writePart(part: UserPart, lose: WriteOptions['lose']): JsonObject[] {
  if (part.type === 'image_url') {
    const { url, detail = 'auto' } = part.image_url
    return [{ type: 'input_image', image_url: url, detail }]
  }
  const written = writtenPart(part)
  if (written.kind === 'text') return [{ type: 'input_text', text: written.text }]
  if (written.kind === 'uploaded') return [{ type: 'input_file', file_id: written.fileId }]
  if (written.kind === 'media' && part.type === 'file') {
    const { mediaType, data, filename = 'file' } = written
    return [{ type: 'input_file', filename, file_data: `data:${mediaType};base64,${data}` }]
  }
  lose('audio')
  return []
}
