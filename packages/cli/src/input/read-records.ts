import { TextDecoder } from 'node:util'
import { checkEncoding, isBlank, type Line, Lines, MAX_RECORD_BYTES } from './lines.js'
import { isObject, type ParsedJson, parseJson } from './parse-json.js'
import { BRACE, BRACKET, CLOSING_BRACKET, COMMA, ValueScanner } from './value-scanner.js'

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

type Found = Omit<FileRecord, 'place'>

/**
 * The records of a file, one after the other, never the file as a whole: JSON Lines, the items of a JSON array, or
 * JSON values over several lines. A line that is cut off somewhere takes no other line with it. Commas after the
 * records do no harm.
 *
 * @throws {Failure} for a file that is no text in UTF-8 as a whole, with a message that follows its name
 */
export async function* readRecords(source: AsyncIterable<Buffer>): AsyncGenerator<FileRecord> {
  let place = 0
  for await (const found of new RecordReader(new Lines(source)).records()) yield { ...found, place: ++place }
}

/** A value that goes on after its first line. */
interface Pending {
  readonly lines: Line[]
  readonly scanner: ValueScanner
  readonly parts: Buffer[]
  length: number
}

class RecordReader {
  readonly #lines: Lines
  /** Whether the records are the items of an array, and whether it has not ended. */
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
    yield { line: number, value: { problem: 'is where the file ends, before its JSON does' }, bytes }
  }

  async *#readLine(line: Line, isFirst: boolean): AsyncGenerator<Found> {
    const { content } = line
    if (content === null) {
      yield found(line, { problem: `is longer than ${MAX_RECORD_BYTES} bytes` })
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

  /** Past what stands between records. */
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

  /** A value that has not ended with its first line. */
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
    // Its first line is no JSON; each of the others may be a record of its own.
    yield found(first, { problem: noJson })
    if (isBlock(pending, indent)) await this.#skipBlock(pending, indent)
    else for (const line of pending.lines.slice(1).toReversed()) this.#lines.unread(line)
  }

  /** The rest of a value that is written over indented lines, and is reported once. */
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

const noJson = 'is no JSON'
const tooLong = `is longer than ${MAX_RECORD_BYTES} bytes, and so is not read, nor is what follows it`
const lineBreak = Buffer.from('\n')

function found(line: Line, value: FileRecord['value'], { bytes }: Line = line): Found {
  return { line: line.number, value, bytes }
}

function indentOf({ content }: Line): number {
  return content?.findIndex(byte => !isBlank(byte)) ?? 0
}

/** Whether a line begins another record, though the one before it has not ended. */
function isNextRecord(line: Line, scanner: ValueScanner): boolean {
  if (line.content?.[indentOf(line)] !== BRACE) return false
  if (!scanner.takesValue) return true
  const value = parseLine(line)
  if (!('json' in value) || !isObject(value.json)) return false
  return ['messages', 'session_id', 'turns'].some(name => isObject(value.json) && Object.hasOwn(value.json, name))
}

/** Whether a value is written over lines as a program indents it: a brace alone, then what is further in. */
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

/** Where a value that is neither an object nor an array ends: at the first comma that leaves it JSON, or with its line. */
function scalarEnd(content: Buffer, from: number): number {
  for (let at = from; at < content.length; at++) {
    const byte = content[at]
    if (byte !== COMMA && byte !== CLOSING_BRACKET) continue
    if ('json' in parse(content.subarray(from, at))) return at
  }
  return content.length
}

function parse(content: Buffer | null): FileRecord['value'] {
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
    return { problem: noJson } // The message of JSON.parse would quote it.
  }
}

/** A line of JSON Lines. An object may have a comma after it: it was cut out of an array. */
function parseLine({ content }: Line): FileRecord['value'] {
  const value = parse(content)
  const end = content?.findLastIndex(byte => !isBlank(byte)) ?? -1
  if ('json' in value || content?.[end] !== COMMA) return value
  const item = parse(content.subarray(0, end))
  // Of anything else, the line may be one of many that an indented value has.
  return 'json' in item && isObject(item.json) ? item : value
}
