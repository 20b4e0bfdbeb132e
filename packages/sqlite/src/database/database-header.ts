import { readSync } from 'node:fs'

/** What the first bytes of a database file say (https://sqlite.org/fileformat.html, 1.3). */
export interface DatabaseHeader {
  readonly isDatabase: boolean
  /** Whether the database is in WAL mode. */
  readonly isInWal: boolean
  /** Increases whenever SQLite writes the first page. */
  readonly changes: number
}

const MAGIC = Buffer.from('SQLite format 3\0')
const FORMAT_AT = 18
const FORMAT_OF_WAL = 2
const CHANGES_AT = 24
const LENGTH = 28

/** Null if the file is shorter. @param descriptor of SQLite; reading at a position does not change it */
export function readHeader(descriptor: number): DatabaseHeader | null {
  const bytes = Buffer.alloc(LENGTH)
  if (readSync(descriptor, bytes, 0, LENGTH, 0) < LENGTH) return null
  return {
    isDatabase: bytes.subarray(0, MAGIC.length).equals(MAGIC),
    isInWal: bytes[FORMAT_AT] === FORMAT_OF_WAL,
    changes: bytes.readUInt32BE(CHANGES_AT),
  }
}

/** Whether SQLite can have written `after` over `before`, in a database in WAL mode. */
export function follows(after: DatabaseHeader | null, before: DatabaseHeader): boolean {
  if (after === null || !after.isDatabase || !after.isInWal) return false
  // The counter has 32 bits and wraps around.
  return (after.changes - before.changes) >>> 0 < 2 ** 31
}
