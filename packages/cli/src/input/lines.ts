import { Failure } from '../terminal/cli.js'

/** Larger records fit neither in a JavaScript string nor in a store. */
export const MAX_RECORD_BYTES: number = 256 * 1024 * 1024

const LF = 0x0a
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d])
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

export function isBlank(byte: number): boolean {
  return BLANK.has(byte)
}

export interface Line {
  readonly number: number
  /** Null if the line is too long to read. */
  readonly content: Buffer | null
  readonly bytes: number
}

/** The non-blank lines of a stream, as bytes. */
export class Lines {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #unread: Line[] = []
  #rest: Buffer = Buffer.alloc(0)
  /** Number of the last line read. */
  number = 0
  /** Bytes of the stream read so far. */
  bytes = 0
  #ended = false

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** Pushes a line back. Lines are read again in last-in, first-out order. */
  unread(line: Line): void {
    this.#unread.push(line)
  }

  async next(): Promise<Line | undefined> {
    for (;;) {
      const line = this.#unread.pop() ?? (await this.#read())
      if (line === undefined || line.content === null || line.content.some(byte => !BLANK.has(byte))) return line
    }
  }

  async #read(): Promise<Line | undefined> {
    const parts: Buffer[] = []
    let length = 0
    for (;;) {
      const end = this.#rest.indexOf(LF)
      const part = end === -1 ? this.#rest : this.#rest.subarray(0, end)
      length += part.length
      if (length <= MAX_RECORD_BYTES) parts.push(part)
      if (end !== -1) {
        this.#rest = this.#rest.subarray(end + 1)
        this.bytes += length + 1
        break
      }
      const chunk = this.#ended ? undefined : await this.#chunks.next()
      if (chunk === undefined || chunk.done === true) {
        this.#ended = true
        this.#rest = Buffer.alloc(0)
        if (length === 0) return undefined
        this.bytes += length
        break
      }
      this.#rest = chunk.value
    }
    this.number++
    const content = length > MAX_RECORD_BYTES ? null : Buffer.concat(parts)
    return { number: this.number, content: content === null ? null : withoutBom(content), bytes: this.bytes }
  }
}

/** A BOM can start any line: files may have been concatenated. */
function withoutBom(line: Buffer): Buffer {
  return line.subarray(0, 3).equals(BOM) ? line.subarray(3) : line
}

/** Detects gzip and UTF-16 by the first two bytes. Otherwise every line would be reported. */
export function checkEncoding({ content }: Line): void {
  const start = content?.subarray(0, 2).toString('hex')
  if (start === '1f8b') {
    throw new Failure('compressed with gzip; decompress it first: zcat FILE | turnstore import -')
  }
  if (start === 'fffe' || start === 'feff') {
    throw new Failure(
      'encoded in UTF-16; convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE | turnstore import -',
    )
  }
}
