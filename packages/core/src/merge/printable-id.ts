import { printableLine } from '../basics/printable.js'

const LONGEST = 80

/** An id shortened for use in a message: call ids may have any length. */
export function shown(id: string): string {
  const text = printableLine(id.slice(0, LONGEST))
  return id.length > LONGEST ? `${text}…` : text
}
