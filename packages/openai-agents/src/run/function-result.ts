import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { decode, encode } from '../items/item-json.js'

/*
 * The item that the SDK makes of what a function tool returns, and the way back: a call that was answered before a crash
 * gives the SDK its result again.
 */

/** @param output as the tool returned it */
export function functionResult(call: JsonObject, output: unknown): JsonObject {
  const { name = '', callId = '', namespace, caller } = call
  return {
    type: 'function_call_result',
    name,
    ...(typeof namespace === 'string' ? { namespace } : {}),
    callId,
    status: 'completed',
    output: structured(output) ?? { type: 'text', text: textOf(output) },
    ...(isJsonObject(caller) ? { caller } : {}),
  }
}

/** What the tool returned, or what the SDK turns into the same item. */
export function outputOf({ output }: JsonObject): unknown {
  if (Array.isArray(output))
    return decode(output.map(part => (isJsonObject(part) ? renamed(part, /^input_/, '') : part)))
  if (isJsonObject(output) && output.type === 'text' && typeof output.text === 'string') return output.text
  return output === undefined ? '' : decode(output)
}

const partTypes = new Set<JsonValue | undefined>(['text', 'image', 'file'])

/** Text, images and files that the tool returned as such; null for anything else. */
function structured(output: unknown): JsonValue[] | null {
  if (typeof output !== 'object' || output === null) return null
  const parts: readonly unknown[] = Array.isArray(output) ? output : [output]
  if (parts.length === 0) return null
  const result: JsonValue[] = []
  for (const part of parts) {
    if (typeof part !== 'object' || part === null || !('type' in part)) return null
    const encoded = encode(part, 'a result')
    if (!isJsonObject(encoded) || !partTypes.has(encoded.type)) return null
    if (encoded.type === 'text' && typeof encoded.text !== 'string') return null
    result.push(renamed(encoded, /^/, 'input_'))
  }
  return result
}

function renamed(part: JsonObject, pattern: RegExp, name: string): JsonObject {
  return { ...part, type: typeof part.type === 'string' ? part.type.replace(pattern, name) : null }
}

function textOf(output: unknown): string {
  if (typeof output === 'string') return output
  if (typeof output !== 'object' || output === null) return String(output)
  try {
    return JSON.stringify(output)
  } catch {
    return '[object with circular references]'
  }
}
