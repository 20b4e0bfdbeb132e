import type { SessionRecord } from '@turnstore/core'
import { type Format, formats, type FromTurns } from '@turnstore/formats'
import type { Cli } from '../terminal/cli.js'

/** A format that sessions can be written in. */
export type WritableFormat = Format & Required<Pick<Format, 'fromTurns'>>

export const writableFormats: readonly WritableFormat[] = formats.filter(isWritable)

function isWritable(format: Format): format is WritableFormat {
  return format.fromTurns !== undefined
}

/** The messages of a session: those of this format exactly as they were recorded, others as it writes them. */
export function writtenIn(format: WritableFormat, { turns }: SessionRecord): FromTurns {
  return format.fromTurns(turns, { incomplete: 'keep' })
}

/** Names what a format cannot take. */
export function noteLost(cli: Cli, lost: readonly string[], sessionId?: string): void {
  if (lost.length === 0) return
  const whose = sessionId === undefined ? '' : ` of session ${sessionId}`
  cli.note(`Not written, because the format has no place for it${whose}: ${lost.join(', ')}`)
}
