import type { Span } from '../disk/read-file.js'
import type { StagedFile } from '../disk/replace-file.js'
import { beforeFirstTurn, betweenTurns, documentText, frameOf } from '../format/document.js'
import { callsFrame, frameOfTurn, itemsFrame, type ListFrame, partText, turnText } from '../format/document-turn.js'
import type { Part } from '@turnstore/core/adapter'
import { parseKeepingIntegers, Texts, toItem, toToolCall } from './assemble-turns.js'
import { readBytes, readTexts } from './read-places.js'
import {
  type PartPlace,
  type Place,
  placesOfHead,
  type SessionFiles,
  type Snapshot,
  type TurnPieces,
  type WholeTurn,
  type WrittenTurn,
} from './turn-places.js'

/** What is read, parsed and written at a time. Other work runs in between. */
const CHUNK_BYTES = 256 * 1024
const CHUNK_ELEMENTS = 256

/**
 * Writes a session as one document, from its old document and the journals. Returns where its turns are in the new
 * one. Unchanged turns are copied byte for byte.
 */
export async function composeDocument(staged: StagedFile, snapshot: Snapshot): Promise<WrittenTurn[]> {
  const { head, remembered, places } = snapshot
  const output = new Output(staged)
  if (places.length === 0) {
    await output.text(documentText({ ...head, turns: [] }, remembered))
    await output.flush()
    return []
  }
  const { before, after } = frameOf(head, remembered)
  const turns: WrittenTurn[] = []
  let wholes: Element[] = []
  const writeWholes = async (): Promise<void> => {
    if (wholes.length === 0) return
    await output.text(turns.length === 0 ? beforeFirstTurn : betweenTurns)
    for (const span of await writeElements(output, wholes, betweenTurns, snapshot)) turns.push({ span, pieces: null })
    wholes = []
  }
  await output.text(before)
  for (const place of places) {
    if (!('head' in place)) {
      wholes.push(turnElement(place))
      continue
    }
    await writeWholes()
    await output.text(turns.length === 0 ? beforeFirstTurn : betweenTurns)
    turns.push(await writePieces(output, place, snapshot))
  }
  await writeWholes()
  await output.text(after)
  await output.flush()
  return turns
}

/** Writes a turn from its pieces, part by part. */
async function writePieces(output: Output, pieces: TurnPieces, files: SessionFiles): Promise<WrittenTurn> {
  const { toolCalls, items } = pieces
  const texts = new Texts(await readTexts(placesOfHead(pieces.head), files), parseKeepingIntegers)
  const frame = frameOfTurn(texts.head(pieces.head), toolCalls.length > 0, items.length > 0)
  const start = output.bytes
  const head: Span[] = []
  const writeList = async (beforeList: string, elements: Element[], list: ListFrame): Promise<Span[]> => {
    if (elements.length === 0) return []
    head.push(await output.piece(beforeList))
    await output.text(list.before)
    const spans = await writeElements(output, elements, list.between, files)
    await output.text(list.after)
    return spans
  }
  const written = {
    head,
    toolCalls: await writeList(frame.beforeCalls, toolCalls.map(partElement(toToolCall)), callsFrame),
    items: await writeList(frame.beforeItems, items.map(partElement(toItem)), itemsFrame),
  }
  head.push(await output.piece(frame.end))
  return { span: { offset: start, length: output.bytes - start }, pieces: written }
}

/** A turn in one piece, or a part. */
interface Element {
  /** Null if it is in memory. */
  readonly place: Place | null
  /** Its text in a document. */
  readonly text: (texts: Texts) => string
}

function turnElement(turn: WholeTurn): Element {
  return { place: 'span' in turn ? turn.span : null, text: texts => turnText(texts.turn(turn)) }
}

function partElement<P extends Part>(decode: (value: unknown) => P): (part: PartPlace<P>) => Element {
  return part => ({ place: 'part' in part ? null : part, text: texts => partText(texts.part(part, decode)) })
}

/** Writes elements of a list. Those that are beside each other in the old document are copied in one piece. */
async function writeElements(
  output: Output,
  elements: readonly Element[],
  between: string,
  files: SessionFiles,
): Promise<Span[]> {
  const spans: Span[] = []
  for (const { isCopy, run } of runsOf(elements, between.length)) {
    if (spans.length > 0) await output.text(between)
    const places = run.flatMap(({ place }) => place ?? [])
    if (isCopy) {
      for (const span of await copy(output, places, files)) spans.push(span)
      continue
    }
    const texts = new Texts(await readTexts(places, files), parseKeepingIntegers)
    for (const [index, { text }] of run.entries()) {
      if (index > 0) await output.text(between)
      spans.push(await output.piece(text(texts)))
    }
  }
  return spans
}

interface Run {
  readonly isCopy: boolean
  readonly run: Element[]
}

function* runsOf(elements: readonly Element[], between: number): Generator<Run> {
  let run: Element[] = []
  let isCopy = false
  let bytes = 0
  /** Where the next one is in the old document, if it is beside this one. */
  let next = 0
  for (const element of elements) {
    const { place } = element
    const isInDocument = place !== null && !('journal' in place)
    const isFull = isCopy ? next !== place?.offset : bytes >= CHUNK_BYTES || run.length >= CHUNK_ELEMENTS
    if (run.length > 0 && (isInDocument !== isCopy || isFull)) {
      yield { isCopy, run }
      run = []
      bytes = 0
    }
    isCopy = isInDocument
    run.push(element)
    bytes += place?.length ?? 0
    next = (place?.offset ?? 0) + (place?.length ?? 0) + between
  }
  if (run.length > 0) yield { isCopy, run }
}

/** Copies bytes of the old document, and what is between them. Returns where they are now. */
async function copy(output: Output, old: readonly Span[], files: SessionFiles): Promise<Span[]> {
  const start = old[0]?.offset ?? 0
  const end = old.reduce((last, { offset, length }) => Math.max(last, offset + length), start)
  const shift = output.bytes - start
  for (let offset = start; offset < end; offset += CHUNK_BYTES) {
    await output.write(await readBytes('document', { offset, length: Math.min(CHUNK_BYTES, end - offset) }, files))
  }
  return old.map(({ offset, length }) => ({ offset: offset + shift, length }))
}

/** Joins small pieces into larger writes. */
class Output {
  bytes = 0
  readonly #staged: StagedFile
  #pieces: Buffer[] = []
  #waiting = 0

  constructor(staged: StagedFile) {
    this.#staged = staged
  }

  text(text: string): Promise<void> {
    return this.write(Buffer.from(text))
  }

  /** Writes text, and returns where it is. */
  async piece(text: string): Promise<Span> {
    const bytes = Buffer.from(text)
    const span = { offset: this.bytes, length: bytes.length }
    await this.write(bytes)
    return span
  }

  async write(piece: Buffer): Promise<void> {
    this.#pieces.push(piece)
    this.#waiting += piece.length
    this.bytes += piece.length
    if (this.#waiting >= CHUNK_BYTES) await this.flush()
  }

  async flush(): Promise<void> {
    const pieces = this.#pieces
    this.#pieces = []
    this.#waiting = 0
    await this.#staged.write(Buffer.concat(pieces))
  }
}
