import { copyJson, isJsonObject, type JsonObject, type JsonValue, SizeBudget } from '../basics/json.js'
import { defaultLimits } from '../records/limits.js'

/** What a problem causes to be left out of a message. */
export type Loss = 'message' | 'part' | 'none'

/** Reports a problem. By default nothing is left out. */
export type Tell = (problem: string, loss?: Loss) => void

/** Text, or the parts of a multimodal message, of any type. */
export type ChatContent = string | ContentPart[] | null

export interface ContentPart {
  type: string
  [key: string]: JsonValue
}

/** What a chat message says, in whichever form it says it. */
export type ReadMessage =
  | { readonly role: 'system' | 'developer' | 'user'; readonly content: ChatContent }
  | {
      readonly role: 'assistant'
      /** Undefined if the message has none. */
      readonly content: ChatContent | undefined
      readonly calls: readonly ReadCall[]
    }
  | {
      readonly role: 'tool'
      readonly key: string
      readonly content: ChatContent
      /** What a format says beyond the text of a result. */
      readonly outcome?: CallOutcome
    }

/** What a call came to: its result, or the error that it failed with. */
export interface CallOutcome {
  readonly result: JsonValue
  readonly error: string | null
}

export interface ReadCall {
  /** `''` if the call has none. */
  readonly id: string
  /** What the result refers to. */
  readonly key: string
  readonly name: string
  /** As the model wrote them: usually the text of a JSON object. */
  readonly written: JsonValue | undefined
}

/** Reads a chat message. Null if it has no role that is known. */
export function readMessage(message: JsonObject, tell: Tell = () => {}): ReadMessage | null {
  const { role, content } = message
  switch (role) {
    case 'system':
    case 'developer':
    case 'user':
      return { role, content: readContent(content, tell) }
    case 'assistant':
      return {
        role,
        content: content === undefined ? undefined : readContent(content, tell),
        calls: readCalls(message, tell),
      }
    case 'tool':
      return { role, key: idText(message.tool_call_id), content: readContent(content, tell) }
    case 'function':
      return { role: 'tool', key: legacyKey(idText(message.name)), content: readContent(content, tell) }
    default:
      tell('has an unknown role, not system, developer, user, assistant or tool; kept, but not read')
      return null
  }
}

/** Content in a form that the format allows: text, a list of parts, or null. */
function readContent(content: JsonValue | undefined, tell: Tell): ChatContent {
  if (content === undefined || content === null) return null
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) {
    tell('has content that is not text, a list of parts or null; read as text')
    return JSON.stringify(content)
  }
  return content.map((part, index): ContentPart => {
    if (isPart(part) && (part.type !== 'text' || typeof part.text === 'string' || part.text === undefined)) return part
    tell(`has content[${index}] that is not a part with a type; read as text`)
    return { type: 'text', text: typeof part === 'string' ? part : JSON.stringify(part) }
  })
}

function isPart(part: JsonValue): part is ContentPart {
  return isJsonObject(part) && Object.hasOwn(part, 'type') && typeof part.type === 'string'
}

function readCalls(message: JsonObject, tell: Tell): ReadCall[] {
  const { tool_calls: calls = null, function_call: legacy = null } = message
  const read: ReadCall[] = []
  if (Array.isArray(calls)) {
    for (const [place, call] of calls.entries()) {
      const known = readCall(call)
      if (known === null) tell(`has tool_calls[${place}] that is not a call with a name; kept, but not read`)
      else read.push(known)
    }
  } else if (calls !== null) {
    tell('has tool_calls that are not an array; kept, but not read')
  }
  if (isJsonObject(legacy) && typeof legacy.name === 'string') {
    read.push({ id: '', key: legacyKey(legacy.name), name: legacy.name, written: legacy.arguments })
  } else if (legacy !== null) {
    tell('has a function_call without a name; kept, but not read')
  }
  return read
}

function readCall(source: JsonValue): ReadCall | null {
  if (!isJsonObject(source)) return null
  const { function: target, custom } = source
  const id = idText(source.id)
  if (isJsonObject(target) && typeof target.name === 'string') {
    return { id, key: id, name: target.name, written: target.arguments }
  }
  if (isJsonObject(custom) && typeof custom.name === 'string') {
    return { id, key: id, name: custom.name, written: custom.input }
  }
  return null
}

function idText(id: JsonValue | undefined): string {
  return typeof id === 'number' ? String(id) : typeof id === 'string' ? id : ''
}

/** Legacy results name the function. The NUL prefix keeps these keys apart from ids. */
function legacyKey(name: string): string {
  return `\u0000${name}`
}

/** The text of content, or null if it has none. */
export function textOf(content: ChatContent | undefined): string | null {
  if (typeof content === 'string' || content === null || content === undefined) return content ?? null
  const texts = content.flatMap(part => (part.type === 'text' && typeof part.text === 'string' ? [part.text] : []))
  return texts.length === 0 ? null : texts.join('\n')
}

/**
 * The arguments of a call as a JSON object. Null if they are none, or if no store accepts it: it is nested too deeply,
 * or a number is out of range.
 */
export function argumentsOf(written: JsonValue | undefined): JsonObject | null {
  if (written === undefined || written === null) return {}
  if (isJsonObject(written)) return written
  if (typeof written !== 'string') return null
  try {
    const copy = copyJson(JSON.parse(written), defaultLimits.jsonDepth, new SizeBudget(Infinity))
    return isJsonObject(copy) ? copy : null
  } catch {
    return null // JSON.parse quotes the text in its message, so the error is dropped.
  }
}
