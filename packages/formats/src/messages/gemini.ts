import type { ChatMessage, JsonObject, JsonValue, UserPart } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadCall, type ReadMessage } from '@turnstore/core/adapter'
import type { Fit, MessageDialect, Reading, Report, WriteOptions, Written } from '../middle/dialect.js'
import { mediaPart, textPart, writtenPart } from '../middle/parts.js'
import { assistant, call, result, system, textIn, user } from '../middle/say.js'
import { objectOutput, stepsOf, withoutSystem } from '../middle/steps.js'

const roles = new Set<JsonValue | undefined>(['user', 'model', 'function', 'tool', 'system', undefined])

/** Contents of the Gemini API, of the SDK `@google/genai` and of Vertex. */
export const gemini: MessageDialect = {
  name: 'gemini',
  title: 'Gemini contents',

  fit({ role, parts, content }): Fit {
    if (!roles.has(role) || content !== undefined || !Array.isArray(parts) || parts.length === 0) return 'no'
    return parts.every(part => isJsonObject(part) && typeof part.type !== 'string') ? 'sure' : 'no'
  },

  facts: new Set(['thoughtSignature', 'videoMetadata', 'displayName', 'partMetadata']),
  read: ({ role, parts }, report) => readContent(parts, role, report),
  write: writeContents,
}

/** A content with parts, also of a file of Gemini CLI. */
export function readContent(
  parts: JsonValue | undefined,
  role: JsonValue | undefined,
  { tell, lose }: Report,
): Reading {
  const said: ReadMessage[] = []
  const thoughts: string[] = []
  let content: ContentPart[] = []
  let calls: ReadCall[] = []
  const flush = (): void => {
    if (content.length === 0 && calls.length === 0) return
    const all = content.length === 0 ? undefined : content
    if (role === 'model') said.push(assistant(all, calls))
    else said.push(role === 'system' ? system(all ?? null) : user(all ?? null))
    content = []
    calls = []
  }
  if (!Array.isArray(parts)) tell('has no list of parts; kept, but not read')
  for (const part of Array.isArray(parts) ? parts : []) {
    if (!isJsonObject(part)) {
      tell('has a part that is no object; kept, but not read')
      continue
    }
    const { text, functionCall, functionResponse, inlineData, fileData, executableCode, codeExecutionResult } =
      inCamelCase(part)
    if (typeof part.thoughtSignature === 'string') lose('signed reasoning')
    if (part.thought === true) {
      if (typeof text === 'string') thoughts.push(text)
      lose('reasoning')
    } else if (typeof text === 'string') content.push(textPart(text))
    else if (isJsonObject(functionCall)) {
      calls.push(call(textIn(functionCall, 'id'), textIn(functionCall, 'name'), functionCall.args))
    } else if (isJsonObject(functionResponse)) {
      flush()
      said.push(readResponse(functionResponse))
    } else if (isJsonObject(inlineData)) {
      content.push(readBlob(inlineData))
    } else if (isJsonObject(fileData)) {
      content.push(mediaPart({ mediaType: mediaTypeOf(fileData), url: textIn(fileData, 'fileUri', 'file_uri') }))
    } else if (isJsonObject(executableCode)) {
      lose('that a tool ran at the provider')
      calls.push(call(textIn(executableCode, 'id'), 'code_execution', executableCode))
    } else if (isJsonObject(codeExecutionResult)) {
      flush()
      const { outcome, output = '' } = codeExecutionResult
      const isError = typeof outcome === 'string' && outcome !== 'OUTCOME_OK'
      said.push(result({ id: textIn(codeExecutionResult, 'id'), name: 'code_execution', value: output, isError }))
    } else if (Object.keys(part).some(name => name !== 'thoughtSignature')) {
      tell('has a part of an unknown kind; kept, but not read')
    }
  }
  flush()
  return { said, thoughts }
}

/** The REST API takes both spellings. */
function inCamelCase(part: JsonObject): JsonObject {
  if ('text' in part || 'functionCall' in part || 'functionResponse' in part) return part
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [camelCase(name), value]))
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function readResponse(response: JsonObject): ReadMessage {
  const { response: given = null } = response
  const error = isJsonObject(given) && Object.keys(given).length === 1 ? given.error : undefined
  const output = isJsonObject(given) && Object.keys(given).length === 1 ? given.output : undefined
  return result({
    id: textIn(response, 'id'),
    name: textIn(response, 'name'),
    value: error ?? output ?? given,
    isError: error !== undefined,
  })
}

function readBlob(blob: JsonObject): ContentPart {
  const name = textIn(blob, 'displayName')
  return mediaPart({
    mediaType: mediaTypeOf(blob),
    data: textIn(blob, 'data'),
    ...(name === '' ? {} : { filename: name }),
  })
}

function mediaTypeOf(blob: JsonObject): string {
  return textIn(blob, 'mimeType', 'mime_type')
}

function writeContents(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { lose } = options
  const { steps, system: prompt } = withoutSystem(stepsOf(messages, options))
  const written = steps.flatMap((step): JsonObject[] => {
    if (step.role === 'user') {
      const parts = step.parts.flatMap(part => writePart(part, lose))
      return parts.length === 0 ? [] : [{ role: 'user', parts }]
    }
    const { texts, calls } = step
    const parts: JsonObject[] = [
      ...texts.map(text => ({ text })),
      ...calls.map(({ id, name, input }) => ({ functionCall: { id, name, args: input } })),
    ]
    const results: JsonObject[] = calls.map(each => ({
      functionResponse: { id: each.id, name: each.name, response: objectOutput(each) },
    }))
    return [{ role: 'model', parts }, ...(results.length === 0 ? [] : [{ role: 'user', parts: results }])]
  })
  return prompt === undefined ? { messages: written } : { messages: written, system: prompt }
}

function writePart(part: UserPart, lose: WriteOptions['lose']): JsonObject[] {
  const written = writtenPart(part)
  switch (written.kind) {
    case 'text':
      return [{ text: written.text }]
    case 'url':
      return [{ fileData: { fileUri: written.url } }]
    case 'media': {
      const { mediaType: mimeType, data } = written
      return [{ inlineData: { mimeType, data } }]
    }
    default:
      lose('files by id')
      return []
  }
}
