import type { TurnRecord } from '@turnstore/core'
import { FilesChanged } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import { parseTurns } from '../format/document.js'
import { decodeDocumentTurn } from '../format/document-turn.js'
import { type Entry, parsePayload } from '../format/journal-entry.js'
import { parseExactly } from '../format/exact-json.js'
import { changeTurn } from './change-turn.js'
import { fileOf, PartReader, readPartSync } from './part-reader.js'
import { type DocumentVersion, lacksSpan, type Part, type TurnPlace } from './turn-places.js'

/**
 * Reads the turns at these places.
 * @throws {@link FilesChanged}; `CORRUPT_SESSION`
 */
export async function readTurnsAt(
  places: readonly TurnPlace[],
  document: DocumentVersion,
  paths: SessionPaths,
): Promise<TurnRecord[]> {
  const reader = new PartReader(document, paths)
  try {
    const found = places.some(lacksSpan) ? await readDocumentTurns(places, reader, false) : places
    await reader.load(found)
    const entries = new ParsedEntries(part => reader.text(part))
    return found.map(place => assembleTurn(place, entries))
  } finally {
    await reader.close()
  }
}

/** Reads one turn synchronously, for a decision in progress. This is rare. Big integers are kept. */
export function readTurnSync(place: TurnPlace, document: DocumentVersion, paths: SessionPaths): TurnRecord {
  const found = lacksSpan(place)
    ? withTurnOf(place, parseTurns(readPartSync('document', 'whole', paths, document), true))
    : place
  const entries = new ParsedEntries(part => readPartSync(fileOf(part), part, paths, document).toString())
  return assembleTurn(found, entries, parseKeepingIntegers)
}

/** The places with the turns of the document, which is parsed as a whole: no turn can be cut out of its form. */
export async function readDocumentTurns(
  places: readonly TurnPlace[],
  reader: PartReader,
  keepBigIntegers: boolean,
): Promise<readonly TurnPlace[]> {
  return withDocumentTurns(places, parseTurns(await reader.wholeDocument(), keepBigIntegers))
}

/** The places with these turns of the document. */
export function withDocumentTurns(
  places: readonly TurnPlace[],
  turns: readonly TurnRecord[] | null,
): readonly TurnPlace[] {
  return turns === null ? places : places.map(place => withTurnOf(place, turns))
}

function withTurnOf(place: TurnPlace, turns: readonly TurnRecord[]): TurnPlace {
  const turn = place.base.kind === 'document' ? turns[place.base.item] : undefined
  return turn === undefined ? place : { ...place, base: { kind: 'value', turn } }
}

/** The entries of a journal, each parsed once however many turns it has. */
export class ParsedEntries {
  readonly textOf: (part: Part) => string
  readonly #entries = new Map<Part, Entry>()

  constructor(textOf: (part: Part) => string) {
    this.textOf = textOf
  }

  get(part: Part): Entry {
    let entry = this.#entries.get(part)
    if (entry === undefined) {
      const payload = parsePayload(this.textOf(part))
      if ('sessionId' in payload) throw new FilesChanged()
      entry = payload
      this.#entries.set(part, entry)
    }
    return entry
  }
}

/** A turn from its first version and the updates since. */
export function assembleTurn(
  place: TurnPlace,
  entries: ParsedEntries,
  parse: (text: string) => unknown = text => JSON.parse(text),
): TurnRecord {
  let turn = firstVersionOf(place, entries, parse)
  for (const patch of place.patches) {
    for (const update of entries.get(patch).updateTurns) {
      if (update.turnId === place.turnId) turn = changeTurn(turn, update)
    }
  }
  return turn
}

function firstVersionOf({ base }: TurnPlace, entries: ParsedEntries, parse: (text: string) => unknown): TurnRecord {
  if (base.kind === 'value') return base.turn
  if (base.span === null) throw new FilesChanged()
  if (base.kind === 'document') return decodeDocumentTurn(parse(entries.textOf(base.span)))
  const turn = entries.get(base.span).appendTurns[base.item]
  if (turn === undefined) throw new FilesChanged()
  return turn
}

/** For what is written back to disk. */
export function parseKeepingIntegers(text: string): unknown {
  return parseExactly(text).value
}
