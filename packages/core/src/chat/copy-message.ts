import { copyJson, isJsonObject, type JsonObject, NotJson, OverBudget, setMember, SizeBudget } from '../basics/json.js'
import { defaultLimits } from '../records/limits.js'
import { invalidRecord } from '../records/members.js'
import type { Tell } from './read-message.js'

/** Leaves room for the item that holds the message. */
const MAX_DEPTH = defaultLimits.jsonDepth - 8

/**
 * A copy of a message, without members that are not JSON. Null if the message is not an object. Each is reported.
 * @throws `INVALID_RECORD` if it is larger than a part of a turn may be
 */
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
