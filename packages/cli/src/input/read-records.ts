import { TextDecoder } from 'node:util'
import { checkEncoding, isBlank, type Line, Lines, MAX_RECORD_BYTES } from './lines.js'
import { figure } from '../terminal/figure.js'
import { isObject, type ParsedJson, parseJson } from './parse-json.js'
import { BRACE, BRACKET, CLOSING_BRACKET, COMMA, ValueScanner } from './value-scanner.js'

/** A JSON value read from a file. */
export interface FileRecord {
  /** Its line in the file, counted from 1. */
  readonly line: number
  /** Its position among the records, counted from 1. */
  readonly place: number
  /** The parsed value, or what is wrong with it. */
  readonly value: ParsedJson | { readonly problem: string }
  /** Bytes of the file read so far. */
  readonly bytes: number
}

type Found = Omit<FileRecord, 'place'>

/**
 * Streams the records of a file: JSON Lines, the items of a JSON array, or JSON values that span several lines. A
 * truncated line loses no other line. Commas after records are ignored.
 *
 * @throws {Failure} if the file is compressed or in UTF-16; the message is meant to follow the file's name
 */
export async function* readRecords(source: AsyncIterable<Buffer>): AsyncGenerator<FileRecord> {
  let place = 0
  for await (const found of new RecordReader(new Lines(source)).records()) yield { ...found, place: ++place }
}

/** A value that continues after its first line. */
interface Pending {
  readonly lines: Line[]
  readonly scanner: ValueScanner
  readonly parts: Buffer[]
  length: number
}

class RecordReader {
  readonly #lines: Lines
  /** Whether the records are items of an array, and whether that array is still open. */
  #hasArray = false
  #isInArray = false

  constructor(lines: Lines) {
    this.#lines = lines
  }

  async *records(): AsyncGenerator<Found> {
    let last: Found | undefined
    let line = await this.#lines.next()
    if (line === undefined) return
    checkEncoding(line)
    for (let isFirst = true; line !== undefined; line = await this.#lines.next(), isFirst = false) {
      for await (const found of this.#readLine(line, isFirst)) {
        last = found
        yield found
      }
      if (last !== undefined && 'problem' in last.value && last.value.problem === tooLong) return
    }
    if (!this.#isInArray || (last !== undefined && 'problem' in last.value)) return
    const { number, bytes } = this.#lines
    yield { line: number, value: { problem: 'the file ends here, but its JSON is incomplete' }, bytes }
  }

  async *#readLine(line: Line, isFirst: boolean): AsyncGenerator<Found> {
    const { content } = line
    if (content === null) {
      yield found(line, { problem: `longer than ${figure(MAX_RECORD_BYTES)} bytes` })
      return
    }
    const start = indentOf(line)
    const isAlone = start === content.findLastIndex(byte => !isBlank(byte))
    if (content[start] === BRACKET && (isFirst || isAlone)) this.#hasArray = true
    let at = this.#skip(content, start)
    if (at === start && (content[at] === BRACE || !this.#hasArray)) {
      const value = parseLine(line)
      if ('json' in value || isScalar(content[at])) {
        yield found(line, value)
        return
      }
    }
    for (; at < content.length; at = this.#skip(content, at)) {
      const end = isScalar(content[at]) ? scalarEnd(content, at) : new ValueScanner().scan(content, at)
      if (end === null) {
        yield* this.#readOn(line, at)
        return
      }
      yield found(line, parse(content.subarray(at, end)))
      at = end
    }
  }

  /** Skips what separates records. */
  #skip(content: Buffer, from: number): number {
    let at = from
    for (; at < content.length; at++) {
      const byte = content[at] ?? 0
      if (byte === BRACKET && this.#hasArray && !this.#isInArray) this.#isInArray = true
      else if (byte === CLOSING_BRACKET && this.#hasArray) this.#isInArray = false
      else if (byte !== COMMA && !isBlank(byte)) break
    }
    return at
  }

  /** Reads the rest of a value that continues after its first line. */
  async *#readOn(first: Line, at: number): AsyncGenerator<Found> {
    const start = first.content?.subarray(at) ?? Buffer.alloc(0)
    const scanner = new ValueScanner()
    scanner.scan(start, 0)
    const pending: Pending = { lines: [first], scanner, parts: [start], length: start.length }
    const indent = indentOf(first)
    while (!scanner.isInText) {
      const line = await this.#lines.next()
      if (line === undefined) break
      pending.lines.push(line)
      const { content } = line
      pending.length += content?.length ?? Infinity
      if (content === null || pending.length > MAX_RECORD_BYTES) {
        yield found(first, { problem: tooLong })
        return
      }
      if (indentOf(line) <= indent && isNextRecord(line, scanner)) break
      const end = scanner.scan(content, 0)
      pending.parts.push(lineBreak, content.subarray(0, end ?? content.length))
      if (end === null) continue
      const value = parse(Buffer.concat(pending.parts))
      if ('problem' in value && !isBlock(pending, indent)) break
      yield found(first, value, line)
      this.#lines.unread({ ...line, content: content.subarray(end) })
      return
    }
    // The first line is not valid JSON; each of the others may be a record.
    yield found(first, { problem: noJson })
    if (isBlock(pending, indent)) await this.#skipBlock(pending, indent)
    else for (const line of pending.lines.slice(1).toReversed()) this.#lines.unread(line)
  }

  /** Skips the rest of an indented value, so that it is reported once. */
  async #skipBlock({ lines }: Pending, indent: number): Promise<void> {
    const last = lines.at(-1)
    if (last !== undefined && indentOf(last) <= indent) this.#lines.unread(last)
    for (let line = await this.#lines.next(); line !== undefined; line = await this.#lines.next()) {
      if (indentOf(line) > indent) continue
      if (!isClosing(line)) this.#lines.unread(line)
      return
    }
  }
}

const noJson = 'not valid JSON'
const tooLong = `longer than ${figure(MAX_RECORD_BYTES)} bytes; it and the rest of the file are not read`
const lineBreak = Buffer.from('\n')

function found(line: Line, value: FileRecord['value'], { bytes }: Line = line): Found {
  return { line: line.number, value, bytes }
}

function indentOf({ content }: Line): number {
  return content?.findIndex(byte => !isBlank(byte)) ?? 0
}

/** Whether a line starts another record although the previous one is incomplete. */
function isNextRecord(line: Line, scanner: ValueScanner): boolean {
  if (line.content?.[indentOf(line)] !== BRACE) return false
  if (!scanner.takesValue) return true
  const value = parseLine(line)
  if (!('json' in value) || !isObject(value.json)) return false
  return ['messages', 'session_id', 'turns'].some(name => isObject(value.json) && Object.hasOwn(value.json, name))
}

/** Whether a value is pretty-printed: a brace alone, then lines that are indented further. */
function isBlock({ lines, parts: [start] }: Pending, indent: number): boolean {
  const isFurtherIn = (line: Line): boolean => indentOf(line) > indent
  const [second, ...others] = lines.slice(1)
  return (
    start?.findIndex((byte, index) => index > 0 && !isBlank(byte)) === -1 &&
    second !== undefined &&
    isFurtherIn(second) &&
    others.slice(0, -1).every(isFurtherIn)
  )
}

function isScalar(byte: number | undefined): boolean {
  return byte !== BRACE && byte !== BRACKET
}

function isClosing({ content }: Line): boolean {
  return /^[\s\]},]*$/.test(content?.toString() ?? '')
}

/** The end of a value that is neither an object nor an array: the first comma that leaves valid JSON, or the end of the line. */
function scalarEnd(content: Buffer, from: number): number {
  for (let at = from; at < content.length; at++) {
    const byte = content[at]
    if (byte !== COMMA && byte !== CLOSING_BRACKET) continue
    if ('json' in parse(content.subarray(from, at))) return at
  }
  return content.length
}

function parse(content: Buffer | null): FileRecord['value'] {
  if (content === null) return { problem: `longer than ${figure(MAX_RECORD_BYTES)} bytes` }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    return { problem: 'not valid UTF-8 text' }
  }
  try {
    return parseJson(text)
  } catch {
    return { problem: noJson } // The message of JSON.parse would quote the text.
  }
}

/** Parses a line of JSON Lines. An object may have a comma after it, as in an array. */
function parseLine({ content }: Line): FileRecord['value'] {
  const value = parse(content)
  const end = content?.findLastIndex(byte => !isBlank(byte)) ?? -1
  if ('json' in value || content?.[end] !== COMMA) return value
  const item = parse(content.subarray(0, end))
  // Anything else may be one line of a pretty-printed value.
  return 'json' in item && isObject(item.json) ? item : value
}
