import type { JsonObject } from '@turnstore/core'
import type { Call, Exchange, Talk } from '../conversations.ts'

/*
 * Conversations in files, as the tools that docs/formats.md names write them. Written apart from what reads them. Made
 * of constants and the conversation alone, so that a conversation that grew gives a file that grew.
 */

export interface FileNative {
  /** Of the format. */
  readonly name: string
  readonly title: string
  /** Records, or lines. */
  readonly write: (talks: readonly Talk[]) => JsonObject[]
  /** How many items the file becomes. Default: one for each record or line. */
  readonly countItems?: (file: readonly JsonObject[]) => number
  /** Whether a file holds one conversation. */
  readonly isSingle?: boolean
  /** Whether a file grows by lines, so that it may end anywhere. */
  readonly hasLines?: boolean
  readonly saysFailure?: boolean
}

export function time(place: number): string {
  return new Date(Date.UTC(2026, 1, 3, 10, 0, place)).toISOString()
}

export function seconds(place: number): number {
  return Date.UTC(2026, 1, 3, 10, 0, place) / 1000
}

export function callsOf({ steps }: Exchange): Call[] {
  return steps.flatMap(({ calls }) => calls)
}

/** Numbers what belongs to a conversation. */
export function counter(prefix: string): () => string {
  let count = 0
  return () => `${prefix}-${count++}`
}

/** How long the lists under a name are, together. */
export function lengthOf(records: readonly JsonObject[], name: string): number {
  return records.reduce((sum, { [name]: list }) => sum + (Array.isArray(list) ? list.length : 0), 0)
}
