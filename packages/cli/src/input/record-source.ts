import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { utf8Length } from '@turnstore/core/adapter'

/** Where records come from, and how those without an id are named. */
export interface RecordSource {
  /** In bytes; 0 if unknown. */
  readonly size: number
  /** A stable name for a record, different for every source. */
  nameOf(record: { readonly json: unknown; readonly place: number }): string
}

/** Sources with the same digest would share sessions. 64 bits are enough for a billion sources. */
const DIGEST_LENGTH = 16

/** Leaves room for the digest and the position in an id of 200 bytes. */
const MAX_NAME_BYTES = 160

/** A pipe has no name or position that is stable across runs, so its records are named by their content. */
export const unnamedSource: RecordSource = {
  size: 0,
  nameOf: ({ json }) => `stdin~${digest(JSON.stringify(json))}`,
}

/** @throws system errors */
export async function sourceOf(file: string): Promise<RecordSource> {
  const status = await stat(file)
  if (!status.isFile()) return unnamedSource
  // Different spellings and links of a path are one source.
  const path = await realpath(file)
  const name = `${readable(basename(path))}~${digest(path)}`
  return { size: status.size, nameOf: ({ place }) => `${name}#${place}` }
}

/** Makes a file name safe to use in an id. */
function readable(name: string): string {
  let text = name.replace(/\p{Cc}/gu, '_')
  while (utf8Length(text) > MAX_NAME_BYTES) text = Array.from(text).slice(0, -1).join('')
  return text
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH)
}
