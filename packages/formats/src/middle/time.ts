import type { JsonObject, JsonValue } from '@turnstore/core'

/** A time as any of the formats writes it, in ISO 8601: a text, or seconds or milliseconds since 1970. */
export function timeOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return Number.isNaN(Date.parse(value)) ? undefined : value
  if (typeof value !== 'number' || value <= 0) return undefined
  // Seconds reach this number in the year 5138, milliseconds in 1973.
  const time = new Date(value < 1e11 ? value * 1000 : value)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}

/** When the first and the last of the entries that say it were made; `''` if none does. */
export function spanOf(entries: readonly JsonObject[]): { createdAt: string; updatedAt: string } {
  const isTimed = ({ timestamp }: JsonObject): boolean => timeOf(timestamp) !== undefined
  return {
    createdAt: timeOf(entries.find(isTimed)?.timestamp) ?? '',
    updatedAt: timeOf(entries.findLast(isTimed)?.timestamp) ?? '',
  }
}
