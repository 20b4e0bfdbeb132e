import { copyJson, isJsonObject, type JsonObject, SizeBudget } from '../basics/json.js'
import { defaultLimits } from '../records/limits.js'

/**
 * The object that a text is the JSON of; null where it is none, or one that no store takes: too deep, or
 * with a number that JavaScript has not.
 */
export function parseArguments(text: string): JsonObject | null {
  try {
    const copy = copyJson(JSON.parse(text), defaultLimits.jsonDepth, new SizeBudget(Infinity))
    return isJsonObject(copy) ? copy : null
  } catch {
    return null // The message of JSON.parse would quote the text.
  }
}
