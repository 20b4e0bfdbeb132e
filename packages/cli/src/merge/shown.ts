import { printableLine } from '@turnstore/core'

const LONGEST = 80

/** An id of a record as it may stand in a sentence: ids of calls may be of any length. */
export function shown(id: string): string {
  const text = printableLine(id.slice(0, LONGEST))
  return id.length > LONGEST ? `${text}…` : text
}
