import { beforeFirstTurn, betweenTurns, documentText, frameOf, type Span, turnText } from '../format/document.js'
import type { StagedFile } from '../disk/replace-file.js'
import type { Snapshot, TurnPlace } from './turn-index.js'
import { assemble, Entries, isUnsliced, parseToKeep, withTurnsOfDocument } from './refresh-index.js'
import type { PartReader } from './part-reader.js'

/** Written, read and parsed at a time. In between others run, so that compaction stalls nobody. */
const CHUNK_BYTES = 256 * 1024
const CHUNK_TURNS = 64

/**
 * Writes a session as one document, out of its old one and the journals, and says where its turns
 * stand in it. Turns that nothing altered are copied as they are, byte for byte.
 */
export async function composeDocument(staged: StagedFile, snapshot: Snapshot, parts: PartReader): Promise<Span[]> {
  const { head } = snapshot
  const places = snapshot.places.some(isUnsliced)
    ? await withTurnsOfDocument(snapshot.places, parts, true)
    : snapshot.places
  const output = new Output(staged)
  if (places.length === 0) {
    await output.text(documentText({ ...head, turns: [] }))
    await output.flush()
    return []
  }
  const { before, after } = frameOf(head)
  const spans: Span[] = []
  await output.text(before)
  for (const stretch of stretchesOf(places)) {
    await output.text(spans.length === 0 ? beforeFirstTurn : betweenTurns)
    spans.push(...(stretch.isUnaltered ? await copyTurns(output, stretch, parts) : await writeTurns(output, stretch, parts)))
  }
  await output.text(after)
  await output.flush()
  return spans
}

/** Turns that are treated alike. */
interface Stretch {
  readonly isUnaltered: boolean
  readonly places: TurnPlace[]
}

function* stretchesOf(places: readonly TurnPlace[]): Generator<Stretch> {
  let stretch: Stretch | null = null
  for (const place of places) {
    const isUnaltered = unalteredSpan(place) !== null
    const isFull = stretch !== null && !isUnaltered && stretch.places.length >= CHUNK_TURNS
    if (stretch === null || stretch.isUnaltered !== isUnaltered || isFull) {
      if (stretch !== null) yield stretch
      stretch = { isUnaltered, places: [] }
    }
    stretch.places.push(place)
  }
  if (stretch !== null) yield stretch
}

function unalteredSpan({ base, patches }: TurnPlace): Span | null {
  return base.kind === 'document' && patches.length === 0 ? base.span : null
}

/** Copies neighbours, and what stands between them, in one piece. */
async function copyTurns(output: Output, stretch: Stretch, parts: PartReader): Promise<Span[]> {
  const old = stretch.places.map(unalteredSpan).filter(span => span !== null)
  const [first] = old
  const last = old.at(-1)
  if (first === undefined || last === undefined) return []
  const shift = output.bytes - first.offset
  const end = last.offset + last.length
  for (let offset = first.offset; offset < end; offset += CHUNK_BYTES) {
    await output.write(await parts.documentBytes({ offset, length: Math.min(CHUNK_BYTES, end - offset) }))
  }
  return old.map(({ offset, length }) => ({ offset: offset + shift, length }))
}

async function writeTurns(output: Output, stretch: Stretch, parts: PartReader): Promise<Span[]> {
  await parts.load(stretch.places)
  const entries = new Entries(part => parts.text(part))
  const spans: Span[] = []
  for (const [index, place] of stretch.places.entries()) {
    if (index > 0) await output.text(betweenTurns)
    const text = Buffer.from(turnText(assemble(place, entries, parseToKeep)))
    spans.push({ offset: output.bytes, length: text.length })
    await output.write(text)
  }
  return spans
}

/** Gathers small pieces into larger writes. */
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
