import { crc32 } from 'node:zlib'

/*
 * The journal of a session: the changes since its document was written, one per line,
 *
 *   <revision> <bytes> <crc32 of the payload> <crc32 of the three fields before> <payload>\n
 *
 * The payload is JSON without a line break. Length and checksums distinguish a record that a killed writer
 * left unfinished, and never acknowledged, from one that was damaged later. docs/file-format.md describes the
 * payloads.
 */

/** A complete record, and where its payload is in the journal. */
export interface JournalRecord {
  /** The revision that the session has with this change. */
  readonly revision: number
  /** The text before the payload. It is unique among the records of one session. */
  readonly front: string
  readonly offset: number
  readonly payload: Buffer
}

export interface JournalScan {
  readonly records: JournalRecord[]
  /** Where the next scan continues: after the last finished line. */
  readonly end: number
  /** Something unfinished follows `end`. A writer must begin with a line break. */
  readonly torn: boolean
}

/** A record that was complete is damaged. */
export class DamagedJournal extends Error {
  readonly offset: number

  constructor(offset: number, reason: string) {
    super(reason)
    this.offset = offset
  }
}

const LINE_BREAK = 0x0a

/** A record as one line: its bytes, and where its payload is in it. */
export interface Line {
  readonly front: string
  readonly payload: Buffer
  readonly bytes: Buffer
}

/** JSON.stringify escapes lone surrogates, so encoding the payload as UTF-8 loses nothing. */
export function encodeRecord(revision: number, text: string): Line {
  const length = Buffer.byteLength(text)
  const place = `${revision} ${length} `
  const offset = place.length + CHECKSUMS
  const bytes = Buffer.allocUnsafe(offset + length + 1)
  bytes.write(text, offset)
  bytes[offset + length] = LINE_BREAK
  const payload = bytes.subarray(offset, offset + length)
  const start = `${place}${hex(crc32(payload))}`
  const front = `${start} ${hex(crc32(start))} `
  bytes.write(front, 'latin1')
  return { front, payload, bytes }
}

/** Two checksums, each in eight digits and with a space behind it. */
const CHECKSUMS = 18

/**
 * Reads the records in a part of a journal that begins at `start`.
 *
 * A proper prefix of a record, with or without NULs after it, is a torn write: the writer was killed or the
 * power failed before the change was acknowledged. It is skipped, also in the middle, where the next writer
 * continued after it. An unfinished last line may be one that is being written right now.
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
    else if (!isTorn(line) || (isFinished && wasWhole(raw))) throw new DamagedJournal(start + at, 'a record is damaged')
    else if (!isFinished) return { records, end: start + at, torn: true }
    // Only the line break is missing. The record was not acknowledged, but it counts: the next writer's line
    // break will complete it.
    if (!isFinished) return { records, end: start + bytes.length, torn: true }
    at = lineBreak + 1
  }
  return { records, end: start + at, torn: false }
}

/**
 * Whether a line that ends in its place was once complete. A writer begins with a line break only after an
 * unfinished line. So no line is empty, and no torn line that ends in NULs has the length of a complete one.
 */
function wasWhole(raw: Buffer): boolean {
  const front = readFront(raw)
  return raw.length === 0 || (front !== null && raw.length === front.length + front.payloadBytes)
}

/** After a power cut, a file system may leave NULs after what was written. JSON never ends in one. */
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
    payload,
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

/** Whether a line is a proper prefix of a record, or empty. */
function isTorn(line: Buffer): boolean {
  const front = readFront(line)
  if (front !== null) return line.length < front.length + front.payloadBytes
  return isPartOfFront(line.toString('latin1', 0, FRONT_BYTES))
}

function isPartOfFront(text: string): boolean {
  return /^(?:\d{1,16}(?: (?:\d{1,12}(?: (?:[0-9a-f]{0,7}|[0-9a-f]{8}(?: [0-9a-f]{0,7}| [0-9a-f]{8})?))?)?)?)?$/.test(
    text,
  )
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0')
}
