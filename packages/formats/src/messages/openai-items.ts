import type { JsonObject, JsonValue } from '@turnstore/core'
import { type ContentPart, isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import type { Reading, Report } from '../middle/dialect.js'
import { mediaPart, textPart } from '../middle/parts.js'
import { assistant, call, collectTexts, result, system, textIn, user, without } from '../middle/say.js'

/*
 * The items of OpenAI's Responses and of its Agents SDK. The Agents SDK writes members in camel case and names some of
 * them anew; a reader of one understands the other.
 */

const textTypes = new Set<JsonValue | undefined>([
  'input_text',
  'output_text',
  'text',
  'summary_text',
  'reasoning_text',
])

/** What the API and the SDK note beside what is said. */
export const itemFacts: ReadonlySet<string> = new Set([
  'annotations',
  'logprobs',
  'providerData',
  'encrypted_content',
  'filename',
  'agent',
  'caller',
  'metadata',
  'internal_chat_message_metadata_passthrough',
])

/** Items that say nothing to anyone: what the API or the SDK keeps for itself. */
const silentTypes: Readonly<Record<string, string>> = {
  item_reference: 'references to stored items',
  compaction: 'compactions',
  compaction_summary: 'compactions',
  compaction_trigger: 'compactions',
  context_compaction: 'compactions',
  mcp_list_tools: 'lists of tools',
  additional_tools: 'lists of tools',
  configuration_update: 'configuration',
  ghost_snapshot: 'snapshots of files',
  mcp_approval_request: 'approvals',
  mcp_approval_response: 'approvals',
}

const roles = new Set<JsonValue | undefined>(['user', 'assistant', 'system', 'developer'])

/** What `type` an item has; a message may leave it out. */
export function itemType({ type, role }: JsonObject): string {
  return typeof type === 'string' ? type : roles.has(role) ? 'message' : ''
}

/** Whether an item is a call or its result, or one of those that only OpenAI has. */
export function isOpenAiType(type: string): boolean {
  return type === 'reasoning' || Object.hasOwn(silentTypes, type) || isCall(type) || isResult(type)
}

export function isCall(type: string): boolean {
  return type.endsWith('_call') || type === 'program'
}

export function isResult(type: string): boolean {
  return (
    type.endsWith('_call_output') ||
    type.endsWith('_call_result') ||
    type === 'tool_search_output' ||
    type === 'program_output'
  )
}

/** Whether content is a list of parts of which one at least has the name of this format. */
export function hasItemContent(content: JsonValue | undefined): boolean {
  return Array.isArray(content) && content.length > 0 && content.every(isItemPart)
}

const partTypes = new Set<JsonValue | undefined>([
  'input_text',
  'output_text',
  'input_image',
  'input_file',
  'refusal',
  'audio',
  'image',
])

function isItemPart(part: JsonValue): boolean {
  return (
    isJsonObject(part) && (partTypes.has(part.type) || (part.type === 'input_audio' && isJsonObject(part.input_audio)))
  )
}

export function readItem(item: JsonObject, report: Report): Reading {
  const type = itemType(item)
  if (type === 'message') return readMessageItem(item, report)
  if (type === 'reasoning') return readReasoning(item, report)
  const silent = Object.hasOwn(silentTypes, type) ? silentTypes[type] : undefined
  if (silent !== undefined) {
    report.lose(silent)
    const asides: string[] = []
    collectTexts(item, asides)
    return { said: [], asides }
  }
  if (isResult(type)) return { said: [readResult(item, type, report)] }
  if (isCall(type)) return { said: readCall(item, type, report) }
  report.tell('is an item of an unknown type; kept, but not read')
  return { said: [] }
}

function readMessageItem({ role, content }: JsonObject, { tell, lose }: Report): Reading {
  const asides: string[] = []
  const parts = typeof content === 'string' ? content : readParts(content, tell, asides)
  if (asides.length > 0) lose('citations and transcripts')
  if (role === 'user') return { said: [user(parts)], asides }
  if (role === 'assistant') return { said: [assistant(parts)], asides }
  if (role === 'system' || role === 'developer') return { said: [system(parts)], asides }
  tell('has an unknown role, not system, developer, user or assistant; kept, but not read')
  return { said: [] }
}

function readParts(content: JsonValue | undefined, tell: Report['tell'], asides: string[]): ContentPart[] {
  if (!Array.isArray(content)) {
    tell('has content that is neither text nor a list of parts; kept, but not read')
    return []
  }
  return content.flatMap((part): ContentPart[] => {
    const read = readPart(part, asides)
    if (read === null) tell('has a part of an unknown type; kept, but not read')
    return read === null ? [] : [read]
  })
}

function readPart(part: JsonValue, asides: string[]): ContentPart | null {
  if (!isJsonObject(part)) return null
  const { type, file } = part
  if (textTypes.has(type)) {
    return textPart(textIn(part, 'text'))
  }
  if (type === 'refusal') return { type, refusal: textIn(part, 'refusal') }
  if (type === 'input_image' || type === 'image' || type === 'computer_screenshot') {
    const image = part.image_url ?? part.imageUrl ?? part.image ?? null
    if (isJsonObject(image)) return imageOf(image)
    const { detail } = part
    const url = typeof image === 'string' ? image : ''
    if (url === '') return { type: 'file', file: { file_id: textIn(part, 'file_id') } }
    const read = mediaPart(
      /^[a-z][a-z0-9+.-]*:/i.test(url.slice(0, 40))
        ? { mediaType: 'image', url }
        : { mediaType: 'image/png', data: url },
    )
    const target = read.image_url
    return typeof detail === 'string' && isJsonObject(target) ? { ...read, image_url: { ...target, detail } } : read
  }
  if (type === 'input_file' || type === 'file') return readFile(part, file)
  if (type === 'input_audio' && isJsonObject(part.input_audio)) return { type, input_audio: part.input_audio }
  if (type === 'audio') {
    if (typeof part.transcript === 'string') asides.push(part.transcript)
    return typeof part.audio === 'string'
      ? { type: 'input_audio', input_audio: { data: part.audio, format: textIn(part, 'format') } }
      : { type: 'file', file: isJsonObject(part.audio) ? { file_id: textIn(part.audio, 'id') } : {} }
  }
  return null
}

function imageOf(image: JsonObject): ContentPart {
  const id = textIn(image, 'id', 'fileId')
  if (id !== '') return { type: 'file', file: { file_id: id } }
  const mediaType = textIn(image, 'mediaType') || 'image/png'
  return typeof image.data === 'string'
    ? mediaPart({ mediaType, data: image.data })
    : mediaPart({ mediaType: 'image', url: textIn(image, 'url') })
}

function readFile(part: JsonObject, file: JsonValue | undefined): ContentPart {
  const source = isJsonObject(file) ? file : part
  const name = textIn(part, 'filename') || textIn(source, 'filename')
  const named = name === '' ? {} : { filename: name }
  const id = textIn(source, 'file_id', 'id', 'fileId')
  if (isJsonObject(file) ? id !== '' : typeof part.file_id === 'string')
    return { type: 'file', file: { file_id: id, ...named } }
  const data = typeof file === 'string' ? file : textIn(source, 'file_data', 'data')
  const mediaType = textIn(source, 'mediaType') || 'application/pdf'
  if (data !== '' && !/^[a-z][a-z0-9+.-]*:/i.test(data.slice(0, 40))) return mediaPart({ mediaType, data, ...named })
  return mediaPart({ mediaType, url: data || textIn(source, 'file_url', 'url'), ...named })
}

function readReasoning(item: JsonObject, { lose }: Report): Reading {
  const thoughts = [item.summary, item.content, item.rawContent].flatMap(list =>
    Array.isArray(list) ? list.flatMap(part => (isJsonObject(part) ? [textIn(part, 'text')] : [])) : [],
  )
  const isSigned = typeof item.encrypted_content === 'string' || item.providerData !== undefined
  lose(isSigned ? 'signed reasoning' : 'reasoning')
  return { said: [], thoughts }
}

function idOf(item: JsonObject): string {
  return textIn(item, 'call_id', 'callId') || textIn(item, 'id')
}

const callMembers = [
  'type',
  'id',
  'call_id',
  'callId',
  'status',
  'name',
  'namespace',
  'providerData',
  'caller',
  'output',
  'results',
  'result',
  'outputs',
  'error',
  'server_label',
]

/** A call of a function, or of a tool that runs at the provider: those have no name, and hold their own results. */
function readCall(item: JsonObject, type: string, { lose }: Report): ReadMessage[] {
  const id = idOf(item)
  const { status, error } = item
  const isFunction = type === 'function_call' || type === 'custom_tool_call'
  const name = textIn(item, 'name') || type.replace(/_call$/, '')
  const made = assistant(undefined, [call(id, name, writtenOf(item, isFunction))])
  if (isFunction || type === 'program') return [made]
  lose('that a tool ran at the provider')
  const given = item.output ?? item.results ?? item.result ?? item.outputs
  if (typeof error === 'string' && error !== '') return [made, result({ id, name, value: error, isError: true })]
  if (given !== undefined && given !== null) return [made, result({ id, name, value: given })]
  // Their results come in items of their own; those of the others are in none.
  const isAnsweredLater = [
    'computer_call',
    'local_shell_call',
    'shell_call',
    'apply_patch_call',
    'tool_search_call',
  ].includes(type)
  return isAnsweredLater || (status !== 'completed' && status !== 'failed')
    ? [made]
    : [made, result({ id, name, value: status, isError: status === 'failed' })]
}

function writtenOf(item: JsonObject, isFunction: boolean): JsonValue | undefined {
  // The input of a custom tool is any text, and arguments are an object.
  if (item.type === 'custom_tool_call') return typeof item.input === 'string' ? { input: item.input } : item.input
  return isFunction || typeof item.arguments === 'string' ? (item.arguments ?? item.input) : without(item, callMembers)
}

function readResult(item: JsonObject, type: string, { lose }: Report): ReadMessage {
  const { output = item.tools ?? item.result ?? null } = item
  if (type !== 'function_call_output' && type !== 'function_call_result' && type !== 'custom_tool_call_output') {
    lose('that a tool ran at the provider')
  }
  const asides: string[] = []
  const list = Array.isArray(output) ? output : [output]
  const parts = list.map((part): JsonValue => readPart(part, asides) ?? part)
  const [only] = parts
  const isText = parts.length === 1 && isJsonObject(only) && only.type === 'text' && typeof only.text === 'string'
  const value = isText ? textIn(only, 'text') : Array.isArray(output) ? parts : (only ?? null)
  return result({ id: idOf(item), name: textIn(item, 'name'), value, isError: item.status === 'failed' })
}
