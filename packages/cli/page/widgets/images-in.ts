import type { JsonObject, JsonValue } from '@turnstore/core'

/*
 * Images that are in a value itself, in the shapes that the formats of agents have. Nothing is ever read from a URL.
 */

const DATA_URL = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const TYPE = /^image\/(?:png|jpeg|gif|webp)$/

const MOST = 12
/** Values that are looked at: a result may be huge. */
const MOST_LOOKS = 2000

/** The data URLs of the images in a value. */
export function imagesIn(value: JsonValue): string[] {
  const images = new Set<string>()
  let looks = 0
  const look = (value: JsonValue): void => {
    if (images.size >= MOST || ++looks > MOST_LOOKS) return
    if (typeof value === 'string') {
      if (DATA_URL.test(value)) images.add(value)
    } else if (Array.isArray(value)) value.forEach(look)
    else if (value !== null && typeof value === 'object') {
      const encoded = encodedIn(value)
      if (encoded === null) Object.values(value).forEach(look)
      else images.add(encoded)
    }
  }
  look(value)
  return [...images]
}

/** MCP: `{ type: 'image', data, mimeType }`. Anthropic: `{ type: 'base64', media_type, data }`. AI SDK: `mediaType`. */
function encodedIn(value: JsonObject): string | null {
  const { data } = value
  const type = [value.mimeType, value.media_type, value.mediaType].find(each => typeof each === 'string')
  if (typeof data !== 'string' || typeof type !== 'string' || !TYPE.test(type) || !BASE64.test(data)) return null
  return `data:${type};base64,${data}`
}
