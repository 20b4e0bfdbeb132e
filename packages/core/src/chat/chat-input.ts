import { isPart } from './chat-layout.js'
import type { ChatContent, ContentPart } from './chat-message.js'
import { copyJson, isJsonObject, type JsonObject, type JsonValue, NotJson, SizeBudget, setMember, OverBudget } from '../basics/json.js'
import { defaultLimits } from '../records/limits.js'
import { invalidRecord } from '../records/members.js'

/*
 * Messages as they come: whatever is wrong with one is told, and what remains of it is JSON.
 */

/** What is left out of a message for a problem that it has. */
export type Loss = 'message' | 'part' | 'none'

/** Tells of a problem; without a loss, nothing is left out. */
export type Tell = (message: string, loss?: Loss) => void

/** Leaves room for the nesting of `metadata.chat`. */
const MAX_DEPTH = defaultLimits.jsonDepth - 8

/** A message that is JSON, without those of its members that are not. */
export function copyMessage(source: unknown, index: number, tell: Tell): JsonObject | null {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    tell('is no object; left out', 'message')
    return null
  }
  const budget = new SizeBudget(defaultLimits.turnBytes)
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

/** A content as the format has it: text, a list of parts, or null. */
export function readContent(content: JsonValue | undefined, tell: Tell): ChatContent {
  if (content === undefined || content === null) return null
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) {
    tell('has a content that is neither text, a list of parts nor null; taken for text')
    return JSON.stringify(content)
  }
  return content.map((part, index): ContentPart => {
    if (isPart(part) && (part.type !== 'text' || typeof part.text === 'string' || part.text === undefined)) return part
    tell(`has content[${index}] that is no part with a type; taken for text`)
    return { type: 'text', text: typeof part === 'string' ? part : JSON.stringify(part) }
  })
}

/** The id of a call, `''` where there is none. */
export function idText(id: JsonValue | undefined): string {
  return typeof id === 'number' ? String(id) : typeof id === 'string' ? id : ''
}
