import { crc32 } from 'node:zlib'

/*
 * The journal of a session: the changes since its document was written, one line each,
 *
 *   <revision> <bytes> <crc32 of the payload> <crc32 of the three before> <payload>\n
 *
 * where the payload is JSON without a line break. Length and checksums tell a record that a killed
 * writer left unfinished, which nobody was told about, from one that was damaged afterwards.
 * docs/file-format.md has the payloads.
 */

/** A whole record, with where its payload stands in the journal. */
export interface JournalRecord {
  /** The revision that the session has with this change. */
  readonly revision: number
  /** What stands before the payload: no two records of one session's life share it. */
  readonly front: string
  readonly offset: number
  readonly length: number
  readonly payload: string
}

export interface JournalScan {
  readonly records: JournalRecord[]
  /** Where the next scan goes on: behind the last line that is finished. */
  readonly end: number
  /** Something unfinished stands behind `end`; a writer must begin with a line break of his own. */
  readonly torn: boolean
}

/** Thrown for a record that was whole once. */
export class DamagedJournal extends Error {
  readonly offset: number

  constructor(offset: number, reason: string) {
    super(reason)
    this.offset = offset
  }
}

const LINE_BREAK = 0x0a

/** A record as one line: its text, its bytes in UTF-8, and where its payload stands among them. */
export interface Line {
  readonly text: string
  readonly bytes: number
  readonly offset: number
  readonly length: number
}

/** JSON.stringify escapes lone surrogates, so the payload's text and its UTF-8 say the same. */
export function encodeRecord(revision: number, payload: string): Line {
  const length = Buffer.byteLength(payload)
  const front = `${revision} ${length} ${hex(crc32(payload))}`
  const start = `${front} ${hex(crc32(front))} `
  return { text: `${start}${payload}\n`, bytes: start.length + length + 1, offset: start.length, length }
}

/**
 * Reads the records in a stretch of a journal that begins at `start`.
 *
 * A proper prefix of a record, with or without NULs behind it, is a tear: its writer was killed, or
 * the power went, before anybody was told. It is passed over, in the middle too, where the next writer
 * went on behind it. A last line that is not finished may be one that is being written this moment.
 *
 * @throws {@link DamagedJournal}
 */
export function scanJournal(bytes: Buffer, start: number): JournalScan {
  const records: JournalRecord[] = []
  let at = 0
  while (at < bytes.length) {
    const lineBreak = bytes.indexOf(LINE_BREAK, at)
    const isFinished = lineBreak !== -1
    const raw = bytes.subarray(at, isFinished ? lineBreak : bytes.length)
    const line = withoutNuls(raw)
    const record = readLine(line, start + at)
    if (record !== null) records.push(record)
    else if (!isTear(line) || (isFinished && wasWhole(raw))) throw new DamagedJournal(start + at, 'a record is damaged')
    // Only the line break is missing: nobody was told of this record, yet from now on it counts, for
    // with the next writer's line break it would be as good as any.
    else if (!isFinished) return { records, end: start + at, torn: true }
    if (!isFinished) return { records, end: start + bytes.length, torn: true }
    at = lineBreak + 1
  }
  return { records, end: start + at, torn: false }
}

/**
 * Whether a line stands where a whole one ended, though its end is gone: a writer begins with a line
 * break of his own only behind what he found unfinished, so no line is empty, and none whose end became
 * NULs has its line break in its place.
 */
function wasWhole(raw: Buffer): boolean {
  const front = readFront(raw)
  return raw.length === 0 || (front !== null && raw.length === front.length + front.payloadBytes)
}

/** Behind what was written, a file system that lost power may leave NULs. JSON never ends in one. */
function withoutNuls(line: Buffer): Buffer {
  let length = line.length
  while (length > 0 && line[length - 1] === 0) length--
  return line.subarray(0, length)
}

const FRONT = /^(\d{1,16}) (\d{1,12}) ([0-9a-f]{8}) ([0-9a-f]{8}) /

/** Longer than any front can be. */
const FRONT_BYTES = 64

function readLine(line: Buffer, offset: number): JournalRecord | null {
  const front = readFront(line)
  if (front === null || line.length !== front.length + front.payloadBytes) return null
  const payload = line.subarray(front.length)
  if (hex(crc32(payload)) !== front.checksum) return null
  return {
    revision: front.revision,
    front: line.toString('latin1', 0, front.length),
    offset: offset + front.length,
    length: front.payloadBytes,
    payload: payload.toString(),
  }
}

interface Front {
  readonly revision: number
  readonly payloadBytes: number
  readonly checksum: string
  readonly length: number
}

function readFront(line: Buffer): Front | null {
  const match = FRONT.exec(line.toString('latin1', 0, FRONT_BYTES))
  if (match === null) return null
  const [whole, revision = '', payloadBytes = '', checksum = '', ownChecksum = ''] = match
  if (hex(crc32(`${revision} ${payloadBytes} ${checksum}`)) !== ownChecksum) return null
  return { revision: Number(revision), payloadBytes: Number(payloadBytes), checksum, length: whole.length }
}

/** Whether a line is a proper beginning of a record, or empty. */
function isTear(line: Buffer): boolean {
  const front = readFront(line)
  if (front !== null) return line.length < front.length + front.payloadBytes
  return isPartOfFront(line.toString('latin1', 0, FRONT_BYTES))
}

function isPartOfFront(text: string): boolean {
  return /^(?:\d{1,16}(?: (?:\d{1,12}(?: (?:[0-9a-f]{0,7}|[0-9a-f]{8}(?: [0-9a-f]{0,7}| [0-9a-f]{8})?))?)?)?)?$/.test(text)
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0')
}
