import { copyJson, isJsonObject, type JsonObject, SizeBudget } from '../basics/json.js'
import { defaultLimits } from '../records/limits.js'

/**
 * Parses the JSON object in a text. Returns null if the text is not a JSON object, or if no store accepts
 * it: it is nested too deeply, or a number is out of range.
 */
export function parseArguments(text: string): JsonObject | null {
  try {
    const copy = copyJson(JSON.parse(text), defaultLimits.jsonDepth, new SizeBudget(Infinity))
    return isJsonObject(copy) ? copy : null
  } catch {
    return null // JSON.parse quotes the text in its message, so the error is dropped.
  }
}
