import type { UserPart } from '@turnstore/core'
import type { ContentPart } from '@turnstore/core/adapter'

export function textPart(text: string): ContentPart {
  return { type: 'text', text }
}

/** A picture, a sound or a file as a part of chat completions has it. */
export interface Media {
  /** `''` if unknown. */
  readonly mediaType: string
  /** Base64. */
  readonly data?: string
  /** A URL, also a `data:` one. */
  readonly url?: string
  readonly filename?: string
}

export function mediaPart(media: Media): ContentPart {
  const { mediaType, filename } = media
  const embedded = media.data === undefined ? dataUrl(media.url ?? '') : { mediaType, data: media.data }
  const url = embedded === null ? (media.url ?? '') : `data:${embedded.mediaType};base64,${embedded.data}`
  const type = embedded?.mediaType || mediaType
  if (type.startsWith('image/') || type === 'image') return { type: 'image_url', image_url: { url } }
  const format = audioFormats[type]
  if (embedded !== null && format !== undefined) {
    return { type: 'input_audio', input_audio: { data: embedded.data, format } }
  }
  const name = filename === undefined ? {} : { filename }
  // Chat completions have no file by URL, so it is lost on the way, and named.
  return { type: 'file', file: embedded === null ? { file_url: url, ...name } : { file_data: url, ...name } }
}

const audioFormats: Readonly<Record<string, string>> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/mp3': 'mp3',
  'audio/mpeg': 'mp3',
}

/** What a part of a message to a model holds, for a format to write. */
export type WrittenPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'media'; readonly mediaType: string; readonly data: string; readonly filename?: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'uploaded'; readonly fileId: string }

export function writtenPart(part: UserPart): WrittenPart {
  switch (part.type) {
    case 'text':
      return { kind: 'text', text: part.text }
    case 'image_url': {
      const { url } = part.image_url
      const embedded = dataUrl(url)
      return embedded === null ? { kind: 'url', url } : { kind: 'media', ...embedded }
    }
    case 'input_audio':
      return { kind: 'media', mediaType: `audio/${part.input_audio.format}`, data: part.input_audio.data }
    default: {
      const { file_data: data = '', file_id: fileId, filename } = part.file
      if (fileId !== undefined) return { kind: 'uploaded', fileId }
      const embedded = dataUrl(data) ?? { mediaType: 'application/pdf', data }
      return { kind: 'media', ...embedded, ...(filename === undefined ? {} : { filename }) }
    }
  }
}

/** The parts of a `data:` URL in base64. Null if it is none. */
export function dataUrl(url: string): { mediaType: string; data: string } | null {
  // Not one expression over the whole text, which may have millions of characters.
  const head = /^data:([^;,]*)[^,]{0,200};base64,/.exec(url.slice(0, 400))
  return head === null
    ? null
    : { mediaType: head[1] === undefined || head[1] === '' ? 'text/plain' : head[1], data: url.slice(head[0].length) }
}
