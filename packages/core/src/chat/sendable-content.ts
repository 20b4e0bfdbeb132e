import { isJsonObject, type JsonObject, type JsonValue, setMember } from '../basics/json.js'
import type { TextPart, UserPart } from './chat-message.js'
import { argumentsOf, type ChatContent, type ContentPart } from './read-message.js'

/** Texts that providers take: well-formed, and none that is empty. Null if nothing is left. */
export function sendableText(content: ChatContent): string | TextPart[] | null {
  return sendable(content, textPart)
}

/** What providers take from a user: also images, audio and files. */
export function sendableContent(content: ChatContent): string | UserPart[] | null {
  return sendable(content, part => textPart(part) ?? mediaPart(part))
}

function sendable<Part>(content: ChatContent, read: (part: ContentPart) => Part | null): string | Part[] | null {
  if (content === null) return null
  if (typeof content === 'string') return isBlank(content) ? null : content.toWellFormed()
  const parts = content.map(read).filter(part => part !== null)
  return parts.length === 0 ? null : parts
}

/** Anthropic refuses text without a visible character. */
function isBlank(text: string): boolean {
  return text.trim() === ''
}

function textPart({ type, text, refusal }: ContentPart): TextPart | null {
  const said = type === 'text' ? text : type === 'refusal' ? refusal : null
  return typeof said === 'string' && !isBlank(said) ? { type: 'text', text: said.toWellFormed() } : null
}

/** As in OpenAI's "Create chat completion", the content of a user message. */
function mediaPart(part: ContentPart): UserPart | null {
  const { type, [type]: media } = part
  if (!isJsonObject(media)) return null
  const url = textIn(media, 'url')
  if (type === 'image_url' && url !== undefined) {
    const { detail } = media
    if (detail === 'auto' || detail === 'low' || detail === 'high') return { type, image_url: { url, detail } }
    return { type, image_url: { url } }
  }
  const data = textIn(media, 'data')
  const { format } = media
  if (type === 'input_audio' && data !== undefined && (format === 'wav' || format === 'mp3')) {
    return { type, input_audio: { data, format } }
  }
  if (type !== 'file') return null
  const file: { file_data?: string; file_id?: string; filename?: string } = {}
  for (const name of ['file_data', 'file_id', 'filename'] as const) {
    const text = textIn(media, name)
    if (text !== undefined) file[name] = text
  }
  return file.file_data === undefined && file.file_id === undefined ? null : { type, file }
}

function textIn(object: JsonObject, name: string): string | undefined {
  const text = object[name]
  return typeof text === 'string' && text !== '' ? text.toWellFormed() : undefined
}

/** The `name` of a message, if it has one that providers take. */
export function sendableName({ name }: JsonObject): { name?: string } {
  return typeof name === 'string' && /^[a-zA-Z0-9_-]{1,64}$/.test(name) ? { name } : {}
}

/** The name of a tool in the form that providers ask for. */
export function sendableToolName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_-]/gu, '_').slice(0, 64) || 'unnamed'
}

/** The arguments as the model wrote them, if they are a JSON object. Anything else becomes one that holds them. */
export function sendableArguments(written: JsonValue | undefined): string {
  const parsed = argumentsOf(written)
  if (typeof written === 'string' && parsed !== null && !hasSurrogates(written)) return written
  if (parsed !== null) return JSON.stringify(wellFormed(parsed))
  return JSON.stringify({ arguments: wellFormed(written ?? null) })
}

/** Whether a text has surrogates that may stand alone, perhaps escaped. */
function hasSurrogates(text: string): boolean {
  return !text.isWellFormed() || /\\u[dD][89a-fA-F]/.test(text)
}

function wellFormed(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  const copy: JsonObject = {}
  for (const [key, member] of Object.entries(value)) setMember(copy, key.toWellFormed(), wellFormed(member))
  return copy
}
