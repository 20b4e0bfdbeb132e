import type { Span } from '../disk/read-file.js'
import type { StagedFile } from '../disk/replace-file.js'
import { beforeFirstTurn, betweenTurns, documentText, frameOf } from '../format/document.js'
import { callsFrame, frameOfTurn, itemsFrame, type ListFrame, partText, turnText } from '../format/document-turn.js'
import type { Part } from '@turnstore/core/adapter'
import { parseKeepingIntegers, readDocumentTurns, Texts, toItem, toToolCall } from './assemble-turns.js'
import type { PartReader } from './part-reader.js'
import {
  lacksSpan,
  type PartPlace,
  placesIn,
  placesOfHead,
  placesOfParts,
  type Snapshot,
  type TurnPieces,
  type TurnPlace,
  type WholeTurn,
  type WrittenTurn,
} from './turn-places.js'

/** What is read, parsed and written at a time. Other work runs in between. */
const CHUNK_BYTES = 256 * 1024
const CHUNK_TURNS = 64
const CHUNK_PARTS = 256

/**
 * Writes a session as one document, from its old document and the journals. Returns where its turns are in the new
 * one. Unchanged turns are copied byte for byte.
 */
export async function composeDocument(
  staged: StagedFile,
  snapshot: Snapshot,
  reader: PartReader,
): Promise<WrittenTurn[]> {
  const { head, remembered } = snapshot
  const places = snapshot.places.some(lacksSpan)
    ? await readDocumentTurns(snapshot.places, reader, true)
    : snapshot.places
  const output = new Output(staged)
  if (places.length === 0) {
    await output.text(documentText({ ...head, turns: [] }, remembered))
    await output.flush()
    return []
  }
  const { before, after } = frameOf(head, remembered)
  const turns: WrittenTurn[] = []
  await output.text(before)
  for (const run of runsOf(places)) {
    await output.text(turns.length === 0 ? beforeFirstTurn : betweenTurns)
    if ('open' in run) turns.push(await writePieces(output, run.open, reader))
    else turns.push(...(run.isUnchanged ? await copyTurns(output, run, reader) : await writeTurns(output, run, reader)))
  }
  await output.text(after)
  await output.flush()
  return turns
}

/** Consecutive turns in one piece that are all copied or all written anew; or a turn in pieces. */
type Run = WholeRun | { readonly open: TurnPieces }

interface WholeRun {
  readonly isUnchanged: boolean
  readonly places: WholeTurn[]
}

function* runsOf(places: readonly TurnPlace[]): Generator<Run> {
  let run: WholeRun | null = null
  for (const place of places) {
    const isUnchanged = unchangedSpan(place) !== null
    const isFull = run !== null && !isUnchanged && run.places.length >= CHUNK_TURNS
    if (run !== null && (!('base' in place) || run.isUnchanged !== isUnchanged || isFull)) {
      yield run
      run = null
    }
    if (!('base' in place)) {
      yield { open: place }
      continue
    }
    run ??= { isUnchanged, places: [] }
    run.places.push(place)
  }
  if (run !== null) yield run
}

function unchangedSpan(place: TurnPlace): Span | null {
  return 'base' in place && place.base.kind === 'document' ? place.base.span : null
}

/** Copies the turns and what is between them in one piece. */
async function copyTurns(output: Output, run: WholeRun, reader: PartReader): Promise<WrittenTurn[]> {
  const spans = await copy(
    output,
    run.places.map(unchangedSpan).filter(span => span !== null),
    reader,
  )
  return spans.map(span => ({ span, pieces: null }))
}

/** Copies bytes of the old document, and what is between them, in one piece. */
async function copy(output: Output, old: readonly Span[], reader: PartReader): Promise<Span[]> {
  const [first] = old
  const last = old.at(-1)
  if (first === undefined || last === undefined) return []
  const shift = output.bytes - first.offset
  const end = last.offset + last.length
  for (let offset = first.offset; offset < end; offset += CHUNK_BYTES) {
    await output.write(await reader.documentBytes({ offset, length: Math.min(CHUNK_BYTES, end - offset) }))
  }
  return old.map(({ offset, length }) => ({ offset: offset + shift, length }))
}

async function writeTurns(output: Output, run: WholeRun, reader: PartReader): Promise<WrittenTurn[]> {
  await reader.load(run.places.flatMap(placesIn))
  const texts = new Texts(place => reader.text(place), parseKeepingIntegers)
  const turns: WrittenTurn[] = []
  for (const [index, place] of run.places.entries()) {
    if (index > 0) await output.text(betweenTurns)
    turns.push({ span: await output.piece(turnText(texts.turn(place))), pieces: null })
  }
  return turns
}

/** Writes a turn from its pieces, part by part. */
async function writePieces(
  output: Output,
  { head, toolCalls, items }: TurnPieces,
  reader: PartReader,
): Promise<WrittenTurn> {
  await reader.load(placesOfHead(head))
  const { beforeCalls, beforeItems, end } = frameOfTurn(
    new Texts(place => reader.text(place), parseKeepingIntegers).head(head),
    toolCalls.length > 0,
    items.length > 0,
  )
  const start = output.bytes
  const around: Span[] = []
  const calls: Span[] = []
  const kept: Span[] = []
  if (toolCalls.length > 0) {
    around.push(await output.piece(beforeCalls))
    calls.push(...(await writeParts(output, toolCalls, toToolCall, callsFrame, reader)))
  }
  if (items.length > 0) {
    around.push(await output.piece(beforeItems))
    kept.push(...(await writeParts(output, items, toItem, itemsFrame, reader)))
  }
  around.push(await output.piece(end))
  return {
    span: { offset: start, length: output.bytes - start },
    pieces: { head: around, toolCalls: calls, items: kept },
  }
}

async function writeParts<P extends Part>(
  output: Output,
  places: readonly PartPlace<P>[],
  decode: (value: unknown) => P,
  frame: ListFrame,
  reader: PartReader,
): Promise<Span[]> {
  const spans: Span[] = []
  for (const run of partRunsOf(places, frame.between.length)) {
    await output.text(spans.length === 0 ? frame.before : frame.between)
    if (run.isUnchanged) {
      for (const span of await copy(output, placesOfParts(run.places), reader)) spans.push(span)
      continue
    }
    await reader.load(placesOfParts(run.places))
    const texts = new Texts(place => reader.text(place), parseKeepingIntegers)
    for (const [index, place] of run.places.entries()) {
      if (index > 0) await output.text(frame.between)
      spans.push(await output.piece(partText(texts.part(place, decode))))
    }
  }
  await output.text(frame.after)
  return spans
}

interface PartRun<P extends Part> {
  readonly isUnchanged: boolean
  readonly places: PartPlace<P>[]
  bytes: number
  /** Where the next part of the document has to be, to be copied with these. */
  next: number
}

/** Consecutive parts that are copied in one piece, or written anew. */
function* partRunsOf<P extends Part>(places: readonly PartPlace<P>[], between: number): Generator<PartRun<P>> {
  let run: PartRun<P> | null = null
  for (const place of places) {
    const isUnchanged = !('part' in place) && !('journal' in place)
    const length = 'part' in place ? 0 : place.length
    const offset = 'part' in place ? 0 : place.offset
    const isFull =
      run !== null && (isUnchanged ? offset !== run.next : run.bytes >= CHUNK_BYTES || run.places.length >= CHUNK_PARTS)
    if (run !== null && (run.isUnchanged !== isUnchanged || isFull)) {
      yield run
      run = null
    }
    run ??= { isUnchanged, places: [], bytes: 0, next: 0 }
    run.places.push(place)
    run.bytes += length
    run.next = offset + length + between
  }
  if (run !== null) yield run
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
