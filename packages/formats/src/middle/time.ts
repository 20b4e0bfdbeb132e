import type { JsonObject } from '@turnstore/core'
import { timeKey } from '@turnstore/core/adapter'

/**
 * A time as any of the formats writes it: a text, or seconds or milliseconds since 1970. In ISO 8601; undefined if it is
 * no time.
 */
export function timeOf(value: unknown): string | undefined {
  if (typeof value === 'string' && timeKey(value) !== '') return value
  const time = new Date(
    typeof value === 'string' ? value : typeof value === 'number' && value > 0 ? inMilliseconds(value) : Number.NaN,
  )
  const text = Number.isNaN(time.getTime()) ? '' : time.toISOString()
  // Years beyond 9999 cannot be sorted.
  return timeKey(text) === '' ? undefined : text
}

/** Seconds reach this number in the year 5138, milliseconds in 1973. */
function inMilliseconds(time: number): number {
  return time < 1e11 ? time * 1000 : time
}

/** When the first and the last of the entries that say it were made; `''` if none does. */
export function spanOf(entries: readonly JsonObject[]): { createdAt: string; updatedAt: string } {
  const isTimed = ({ timestamp }: JsonObject): boolean => timeOf(timestamp) !== undefined
  return {
    createdAt: timeOf(entries.find(isTimed)?.timestamp) ?? '',
    updatedAt: timeOf(entries.findLast(isTimed)?.timestamp) ?? '',
  }
}
