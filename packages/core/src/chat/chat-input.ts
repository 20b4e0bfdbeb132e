import { isPart } from './chat-layout.js'
import type { ChatContent, ContentPart } from './chat-message.js'
import {
  copyJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  NotJson,
  SizeBudget,
  setMember,
  OverBudget,
} from '../basics/json.js'
import { defaultLimits } from '../records/limits.js'
import { invalidRecord } from '../records/members.js'

/*
 * Reads untrusted messages. Every problem is reported; what remains of a message is JSON.
 */

/** What a problem causes to be left out of a message. */
export type Loss = 'message' | 'part' | 'none'

/** Reports a problem. By default nothing is left out. */
export type Tell = (message: string, loss?: Loss) => void

/** Leaves room for nesting inside `metadata.chat`. */
const MAX_DEPTH = defaultLimits.jsonDepth - 8

/** A copy of a message, without members that are not JSON. Null if the message is not an object. */
export function copyMessage(source: unknown, index: number, tell: Tell): JsonObject | null {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    tell('is not an object; left out', 'message')
    return null
  }
  const budget = new SizeBudget(defaultLimits.partBytes)
  try {
    try {
      const copy = copyJson(source, MAX_DEPTH, budget)
      return isJsonObject(copy) ? copy : null
    } catch (error) {
      if (!(error instanceof NotJson)) throw error
      if (error.path.length === 0) {
        tell(`${error.message}; left out`, 'message')
        return null
      }
    }
    const copy: JsonObject = {}
    for (const key of Object.keys(source)) {
      try {
        const member = copyJson({ member: readMember(source, key) }, MAX_DEPTH, budget)
        if (isJsonObject(member) && member.member !== undefined) setMember(copy, key, member.member)
      } catch (error) {
        if (!(error instanceof NotJson)) throw error
        tell(`has a member that ${error.message}; the member is left out`, 'part')
      }
    }
    return copy
  } catch (error) {
    if (error instanceof OverBudget)
      throw invalidRecord(`messages[${index}]`, `is larger than ${budget.limit} bytes of JSON`)
    throw error
  }
}

function readMember(source: object, key: string): unknown {
  try {
    return Reflect.get(source, key)
  } catch {
    throw new NotJson([key], 'threw when it was read')
  }
}

/** Content in a form that the format allows: text, a list of parts, or null. */
export function readContent(content: JsonValue | undefined, tell: Tell): ChatContent {
  if (content === undefined || content === null) return null
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) {
    tell('has content that is not text, a list of parts or null; converted to text')
    return JSON.stringify(content)
  }
  return content.map((part, index): ContentPart => {
    if (isPart(part) && (part.type !== 'text' || typeof part.text === 'string' || part.text === undefined)) return part
    tell(`has content[${index}] that is not a part with a type; converted to text`)
    return { type: 'text', text: typeof part === 'string' ? part : JSON.stringify(part) }
  })
}

/** The id of a call as text, `''` if it has none. */
export function idText(id: JsonValue | undefined): string {
  return typeof id === 'number' ? String(id) : typeof id === 'string' ? id : ''
}
