import { readSync } from 'node:fs'

/** What the first bytes of a database file say (https://sqlite.org/fileformat.html, 1.3). */
export interface DatabaseHeader {
  readonly isDatabase: boolean
  /** Whether it is written with a WAL. */
  readonly isInWal: boolean
  /** Goes up whenever SQLite writes the first page. */
  readonly changes: number
}

const MAGIC = Buffer.from('SQLite format 3\0')
const FORMAT_AT = 18
const FORMAT_OF_WAL = 2
const CHANGES_AT = 24
const LENGTH = 28

/** Null where the file is shorter. @param descriptor that SQLite has open; reading at a place leaves it as it is */
export function readHeader(descriptor: number): DatabaseHeader | null {
  const bytes = Buffer.alloc(LENGTH)
  if (readSync(descriptor, bytes, 0, LENGTH, 0) < LENGTH) return null
  return {
    isDatabase: bytes.subarray(0, MAGIC.length).equals(MAGIC),
    isInWal: bytes[FORMAT_AT] === FORMAT_OF_WAL,
    changes: bytes.readUInt32BE(CHANGES_AT),
  }
}

/** Whether SQLite made `after` out of `before`, both of a database in WAL mode. */
export function follows(after: DatabaseHeader | null, before: DatabaseHeader): boolean {
  if (after === null || !after.isDatabase || !after.isInWal) return false
  // In 32 bits it may go round.
  return after.changes - before.changes >>> 0 < 2 ** 31
}
