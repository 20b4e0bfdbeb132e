import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { encode } from '../items/item-json.js'

/*
 * The item that the SDK makes of what a function tool returns, and the way back: a call that was answered before a crash
 * gives the SDK its result again.
 */

/**
 * @param output as the tool returned it
 * @param hasSchema whether the tool declares what it returns: then it is JSON, whatever it looks like
 */
export function functionResult(call: JsonObject, output: unknown, hasSchema = false): JsonObject {
  const { name = '', callId = '', namespace, caller } = call
  const text = hasSchema ? JSON.stringify(output) : textOf(output)
  return {
    type: 'function_call_result',
    name,
    ...(typeof namespace === 'string' ? { namespace } : {}),
    callId,
    status: 'completed',
    output: (hasSchema ? null : partsOf(output)) ?? { type: 'text', text },
    ...(isJsonObject(caller) ? { caller } : {}),
  }
}

/** What the SDK turns into the same item. */
export function outputOf({ output }: JsonObject): unknown {
  if (Array.isArray(output)) return output.map(part => (isJsonObject(part) ? outputPart(part) : part))
  return isJsonObject(output) && typeof output.text === 'string' ? output.text : ''
}

function textOf(output: unknown): string {
  if (typeof output !== 'object' || output === null) return String(output)
  try {
    return JSON.stringify(output)
  } catch {
    return '[object with circular references]'
  }
}

/** Text, images and files that the tool returned as such. Null if anything is none. */
function partsOf(output: unknown): JsonObject[] | null {
  const list: readonly unknown[] = Array.isArray(output) ? output : [output]
  const parts = list.map(inputPart).filter(part => part !== null)
  return parts.length === 0 || parts.length < list.length ? null : parts
}

function inputPart(value: unknown): JsonObject | null {
  if (typeof value !== 'object' || value === null || !('type' in value)) return null
  const { type } = value
  const provided = 'providerData' in value && isRecord(value.providerData) ? value.providerData : undefined
  const data = provided === undefined ? {} : { providerData: encode(provided, 'providerData') }
  if (type === 'text' && 'text' in value && typeof value.text === 'string') {
    return { type: 'input_text', text: value.text, ...data }
  }
  if (type === 'image' && 'image' in value) {
    const image = imageOf(value.image)
    const detail = 'detail' in value && isText(value.detail) ? { detail: value.detail } : {}
    return image === null ? null : { type: 'input_image', ...detail, image, ...data }
  }
  if (type === 'file' && 'file' in value) {
    const file = fileOf(value.file)
    return file === null ? null : { type: 'input_file', ...file, ...data }
  }
  return null
}

function imageOf(image: unknown): JsonValue {
  if (isText(image)) return image
  if (!isRecord(image)) return null
  if (isText(image.url)) return image.url
  const data = base64Of(image.data)
  if (data !== null) {
    const mediaType = isText(image.mediaType) ? image.mediaType : image.mimeType
    return isText(mediaType) && !data.startsWith('data:') ? dataUrl(data, mediaType) : data
  }
  const id = isText(image.fileId) ? image.fileId : image.id
  return isText(id) ? { id } : null
}

function fileOf(file: unknown): JsonObject | null {
  if (isText(file)) return { file }
  if (!isRecord(file)) return null
  const { filename, mediaType, url } = file
  const named = isText(filename) ? { filename } : {}
  const data = base64Of(file.data)
  if (data !== null) {
    return isText(mediaType) && isText(filename) ? { file: dataUrl(data, mediaType), ...named } : null
  }
  if (isText(url)) return { file: { url }, ...named }
  const id = isText(file.id) ? file.id : file.fileId
  return isText(id) ? { file: { id }, ...named } : null
}

function outputPart({ type, ...part }: JsonObject): JsonObject {
  const { image, file, filename, ...others } = part
  if (type === 'input_image') {
    const source = isJsonObject(image) && isText(image.id) ? { fileId: image.id } : (image ?? null)
    return { type: 'image', image: source, ...others }
  }
  if (type !== 'input_file') return { type: 'text', ...others }
  const named = filename === undefined ? {} : { filename }
  const [, mediaType, data] = (isText(file) && /^data:([^;,]*);base64,(.*)$/s.exec(file)) || []
  if (isText(mediaType) && data !== undefined && filename !== undefined) {
    return { type: 'file', file: { data, mediaType, ...named }, ...others }
  }
  return { type: 'file', file: isJsonObject(file) ? { ...file, ...named } : (file ?? null), ...others }
}

function base64Of(data: unknown): string | null {
  if (isText(data)) return data
  if (!(data instanceof Uint8Array) || data.length === 0) return null
  const encoded = encode(data, 'a result')
  return isJsonObject(encoded) && isText(encoded.$bytes) ? encoded.$bytes : null
}

function dataUrl(base64: string, mediaType: string): string {
  return `data:${mediaType};base64,${base64}`
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
