import { TextDecoder } from 'node:util'
import { Failure } from './cli.js'
import { isObject, type ParsedJson, parseJson } from './parse-json.js'

/** A JSON value as it was found in a file. */
export interface FileRecord {
  /** Counted from 1: its line in the file. */
  readonly line: number
  /** Counted from 1: its place among the records. */
  readonly place: number
  /** Or what is wrong with it. */
  readonly value: ParsedJson | { readonly problem: string }
  /** How many bytes of the file have been read. */
  readonly bytes: number
}

/** Nothing larger can be a string in JavaScript, nor a session in any store. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024

const LF = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d])
const COMMA = 0x2c
const LINE_BREAK = Buffer.from([LF])
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * The records of a file, one after the other, never the file as a whole: JSON Lines, where a line that is
 * no JSON leaves the others readable; one JSON array, whose items are the records; or JSON values over
 * several lines. Which of the three it is shows in its first two lines. Commas behind the records do no harm.
 *
 * @throws {Failure} for a file that is no text in UTF-8 as a whole, with a message that goes behind its name
 */
export async function* readRecords(source: AsyncIterable<Buffer>): AsyncGenerator<FileRecord> {
  const lines = new Lines(source)
  let place = 0
  const first = await lines.next()
  if (first === undefined) return
  checkEncoding(first)
  if (first.content !== null && first.content.find(byte => !BLANK.has(byte)) === 0x5b) {
    lines.unread(first)
    yield* readValues(lines, true)
    return
  }
  const firstValue = parseLine(first)
  if ('problem' in firstValue && first.content?.find(byte => !BLANK.has(byte)) === 0x7b) {
    const second = await lines.next()
    if (second !== undefined) lines.unread(second)
    if (second !== undefined && !isWhole(parse(second))) {
      lines.unread(first)
      yield* readValues(lines, false)
      return
    }
  }
  for (let line: Line | undefined = first; line !== undefined; line = await lines.next()) {
    place++
    yield { line: line.number, place, value: line === first ? firstValue : parseLine(line), bytes: line.bytes }
  }
}

/** Files of another kind show it in their first two bytes. Else each of their lines would be told. */
function checkEncoding({ content }: Line): void {
  const start = content?.subarray(0, 2).toString('hex')
  if (start === '1f8b') {
    throw new Failure('is compressed (gzip); unpack it first, as in zcat FILE | turnstore import -')
  }
  if (start === 'fffe' || start === 'feff') {
    throw new Failure(
      'is text in UTF-16; turn it into UTF-8 first, as in iconv -f UTF-16 -t UTF-8 FILE | turnstore import -',
    )
  }
}

function isWhole(value: FileRecord['value']): boolean {
  return 'json' in value && typeof value.json === 'object' && value.json !== null
}

interface Line {
  readonly number: number
  /** Null where it is too long to be read. */
  readonly content: Buffer | null
  readonly bytes: number
}

/** The lines of a stream that are not blank, as bytes. */
class Lines {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #unread: Line[] = []
  #rest: Buffer = Buffer.alloc(0)
  #number = 0
  #bytes = 0
  #ended = false

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** Gives a line back, to be read again before those that were given back before it. */
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
        this.#bytes += length + 1
        break
      }
      const chunk = this.#ended ? undefined : await this.#chunks.next()
      if (chunk === undefined || chunk.done === true) {
        this.#ended = true
        this.#rest = Buffer.alloc(0)
        if (length === 0) return undefined
        this.#bytes += length
        break
      }
      this.#rest = chunk.value
    }
    this.#number++
    const content = length > MAX_RECORD_BYTES ? null : Buffer.concat(parts)
    return { number: this.#number, content: content === null ? null : withoutBom(content), bytes: this.#bytes }
  }
}

/** One stands at the start of a file, and inside where files were put together. */
function withoutBom(line: Buffer): Buffer {
  return line.subarray(0, 3).equals(BOM) ? line.subarray(3) : line
}

function parse({ content }: { readonly content: Buffer | null }): FileRecord['value'] {
  if (content === null) return { problem: `is longer than ${MAX_RECORD_BYTES} bytes` }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    return { problem: 'is no text in UTF-8' }
  }
  try {
    return parseJson(text)
  } catch {
    return { problem: 'is no JSON' } // The message of JSON.parse would quote it.
  }
}

/** A line of JSON Lines. An object may have a comma behind it: it was cut out of an array. */
function parseLine(line: Line): FileRecord['value'] {
  const value = parse(line)
  const end = line.content?.findLastIndex(byte => !BLANK.has(byte)) ?? -1
  if ('json' in value || line.content?.[end] !== COMMA) return value
  const item = parse({ content: line.content.subarray(0, end) })
  // Of anything else, the line may be one of many that an indented value has.
  return 'json' in item && isObject(item.json) ? item : value
}

/**
 * The values of a stream by their brackets, over any number of lines: the items of one array, or values one
 * after the other.
 */
async function* readValues(lines: Lines, inArray: boolean): AsyncGenerator<FileRecord> {
  const outside = inArray ? 1 : 0
  let depth = 0
  let inText = false
  let escaped = false
  let parts: Buffer[] = []
  let length = 0
  let start: number | null = null
  let place = 0

  const add = (part: Buffer): void => {
    parts.push(part)
    length += part.length
  }
  /** What has been gathered since the value before, if it is more than blanks. */
  const take = (line: Line): FileRecord[] => {
    const content = Buffer.concat(parts)
    const record = { line: start ?? line.number, value: parse({ content }), bytes: line.bytes }
    parts = []
    length = 0
    start = null
    return content.every(byte => BLANK.has(byte)) ? [] : [{ ...record, place: ++place }]
  }

  let last: Line = { number: 1, content: null, bytes: 0 }
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    last = line
    const content = line.content ?? Buffer.alloc(0)
    let from = 0
    for (let at = 0; at < content.length; at++) {
      const byte = content[at] ?? 0
      if (inText) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inText = false
      } else if (byte === QUOTE) {
        inText = true
      } else if (byte === 0x5b || byte === 0x7b) {
        if (inArray && depth === 0) from = at + 1
        else if (depth === outside) start ??= line.number
        depth++
      } else if (byte === 0x5d || byte === 0x7d) {
        depth--
        if (depth > 0) continue
        add(content.subarray(from, inArray ? at : at + 1))
        from = at + 1
        yield* take(line)
      } else if (byte === COMMA && depth === outside) {
        add(content.subarray(from, at))
        from = at + 1
        yield* take(line)
      }
    }
    add(content.subarray(from))
    add(LINE_BREAK)
    if (line.content === null || length > MAX_RECORD_BYTES) {
      const problem = `is longer than ${MAX_RECORD_BYTES} bytes, and so is not read, nor is what comes behind it`
      yield { line: start ?? line.number, place: place + 1, value: { problem }, bytes: line.bytes }
      return
    }
  }
  const [record] = take(last)
  if (record !== undefined) yield record
  if (depth > 0 && (record === undefined || 'json' in record.value)) {
    yield {
      line: last.number,
      place: place + 1,
      value: { problem: 'is where the file ends, before its JSON does' },
      bytes: last.bytes,
    }
  }
}
