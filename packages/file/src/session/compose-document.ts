import type { Span } from '../disk/read-file.js'
import type { StagedFile } from '../disk/replace-file.js'
import { beforeFirstTurn, betweenTurns, documentText, frameOf, turnText } from '../format/document.js'
import { assembleTurn, ParsedEntries, parseKeepingIntegers, readDocumentTurns } from './assemble-turns.js'
import type { PartReader } from './part-reader.js'
import { lacksSpan, type Snapshot, type TurnPlace } from './turn-places.js'

/** What is read, parsed and written at a time. Other work runs in between. */
const CHUNK_BYTES = 256 * 1024
const CHUNK_TURNS = 64

/**
 * Writes a session as one document, from its old document and the journals. Returns where its turns are in the new
 * one. Unchanged turns are copied byte for byte.
 */
export async function composeDocument(staged: StagedFile, snapshot: Snapshot, reader: PartReader): Promise<Span[]> {
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
  const spans: Span[] = []
  await output.text(before)
  for (const run of runsOf(places)) {
    await output.text(spans.length === 0 ? beforeFirstTurn : betweenTurns)
    spans.push(...(run.isUnchanged ? await copyTurns(output, run, reader) : await writeTurns(output, run, reader)))
  }
  await output.text(after)
  await output.flush()
  return spans
}

/** Consecutive turns that are all copied or all written anew. */
interface Run {
  readonly isUnchanged: boolean
  readonly places: TurnPlace[]
}

function* runsOf(places: readonly TurnPlace[]): Generator<Run> {
  let run: Run | null = null
  for (const place of places) {
    const isUnchanged = unchangedSpan(place) !== null
    const isFull = run !== null && !isUnchanged && run.places.length >= CHUNK_TURNS
    if (run === null || run.isUnchanged !== isUnchanged || isFull) {
      if (run !== null) yield run
      run = { isUnchanged, places: [] }
    }
    run.places.push(place)
  }
  if (run !== null) yield run
}

function unchangedSpan({ base, patches }: TurnPlace): Span | null {
  return base.kind === 'document' && patches.length === 0 ? base.span : null
}

/** Copies the turns and what is between them in one piece. */
async function copyTurns(output: Output, run: Run, reader: PartReader): Promise<Span[]> {
  const old = run.places.map(unchangedSpan).filter(span => span !== null)
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

async function writeTurns(output: Output, run: Run, reader: PartReader): Promise<Span[]> {
  await reader.load(run.places)
  const entries = new ParsedEntries(part => reader.text(part))
  const spans: Span[] = []
  for (const [index, place] of run.places.entries()) {
    if (index > 0) await output.text(betweenTurns)
    const text = Buffer.from(turnText(assembleTurn(place, entries, parseKeepingIntegers)))
    spans.push({ offset: output.bytes, length: text.length })
    await output.write(text)
  }
  return spans
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
