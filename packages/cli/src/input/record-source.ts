import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { utf8Length } from '@turnstore/core/adapter'

/** Where records come from, and what those without an id are called. */
export interface RecordSource {
  /** In bytes; 0 where nobody knows. */
  readonly size: number
  /** The same for the same record of the same source, and another for that of any other source. */
  nameOf(record: { readonly json: unknown; readonly place: number }): string
}

/** Two sources with one digest would become one conversation: 64 bits keep a billion of them apart. */
const DIGEST_LENGTH = 16

/** Leaves room for the digest and the place in an id of 200 bytes. */
const MAX_NAME_BYTES = 160

/** What comes through a pipe has no name and no place that the next run would find again: its content is its name. */
export const unnamedSource: RecordSource = {
  size: 0,
  nameOf: ({ json }) => `stdin~${digest(JSON.stringify(json))}`,
}

/** @throws errors of the system */
export async function sourceOf(file: string): Promise<RecordSource> {
  const status = await stat(file)
  if (!status.isFile()) return unnamedSource
  // However it is spelt, and through whatever link, a file is one source.
  const path = await realpath(file)
  const name = `${readable(basename(path))}~${digest(path)}`
  return { size: status.size, nameOf: ({ place }) => `${name}#${place}` }
}

/** The name of a file as it may be part of an id. */
function readable(name: string): string {
  let text = name.replace(/\p{Cc}/gu, '_')
  while (utf8Length(text) > MAX_NAME_BYTES) text = Array.from(text).slice(0, -1).join('')
  return text
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH)
}
