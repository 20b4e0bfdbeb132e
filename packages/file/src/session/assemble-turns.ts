import type { PartCounts, TurnHead, TurnHeadRecord, TurnRecord } from '@turnstore/core'
import { decodeItem, decodeToolCall, encodeTurnHead, headOf, type Part, PartWrite } from '@turnstore/core/adapter'
import { FilesChanged } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import { parseTurns } from '../format/document.js'
import { decodeDocumentTurn } from '../format/document-turn.js'
import { parseExactly } from '../format/exact-json.js'
import { decodeNewTurn } from '../format/journal-entry.js'
import { PartReader, readBytesSync, readPartSync, readTextsSync } from './part-reader.js'
import {
  type DocumentVersion,
  type HeadPlace,
  lacksSpan,
  type PartPlace,
  type Place,
  placesIn,
  placesOfHead,
  placesOfParts,
  type TurnPieces,
  type TurnPlace,
  type WholeTurn,
} from './turn-places.js'

/** Reads a part of one list from JSON. */
type Decode<P extends Part> = (value: unknown) => P
export const toToolCall = (value: unknown): ReturnType<typeof decodeToolCall> => decodeToolCall(value)
export const toItem = (value: unknown): ReturnType<typeof decodeItem> => decodeItem(value)

/**
 * Reads the turns at these places.
 * @throws {@link FilesChanged}; `CORRUPT_SESSION`
 */
export function readTurnsAt(
  places: readonly TurnPlace[],
  document: DocumentVersion,
  paths: SessionPaths,
): Promise<TurnRecord[]> {
  return withReader(document, paths, async reader => {
    const found = places.some(lacksSpan) ? await readDocumentTurns(places, reader, false) : places
    await reader.load(found.flatMap(placesIn))
    const texts = new Texts(place => reader.text(place))
    return found.map(place => texts.turn(place))
  })
}

/** The head of a turn, and how many parts it has; or all of it, if it is in one piece. */
export type HeadToRead = WholeTurn | { readonly head: HeadPlace; readonly partCounts: PartCounts }

/** Reads the heads of turns, without the parts of those that have them in places of their own. */
export function readHeadsAt(
  heads: readonly HeadToRead[],
  document: DocumentVersion,
  paths: SessionPaths,
): Promise<TurnHeadRecord[]> {
  return withReader(document, paths, async reader => {
    const whole = heads.filter(head => 'base' in head)
    const found = whole.some(lacksSpan) ? await readDocumentTurns(whole, reader, false) : whole
    const read = new Map(whole.map((head, index) => [head, found[index]]))
    await reader.load(
      heads.flatMap(head => ('base' in head ? placesIn(read.get(head) ?? head) : placesOfHead(head.head))),
    )
    const texts = new Texts(place => reader.text(place))
    return heads.map(head => {
      if ('base' in head) return headOf(texts.turn(read.get(head) ?? head))
      return { ...texts.head(head.head), partCounts: { ...head.partCounts } }
    })
  })
}

/** The parts of a turn in both of its lists. */
type Lists = Pick<TurnRecord, 'toolCalls' | 'items'>

/** Reads parts of a turn. @throws {@link FilesChanged} */
export function readListsAt(
  { toolCalls = [], items = [] }: Partial<Pick<TurnPieces, 'toolCalls' | 'items'>>,
  document: DocumentVersion,
  paths: SessionPaths,
): Promise<Lists> {
  return withReader(document, paths, async reader => {
    await reader.load([...placesOfParts(toolCalls), ...placesOfParts(items)])
    return new Texts(place => reader.text(place)).lists({ toolCalls, items })
  })
}

async function withReader<T>(
  document: DocumentVersion,
  paths: SessionPaths,
  read: (reader: PartReader) => Promise<T>,
): Promise<T> {
  const reader = new PartReader(document, paths)
  try {
    return await read(reader)
  } finally {
    await reader.close()
  }
}

/** What decisions in progress read, synchronously. It is little, or rare. Big integers are kept. */
export class SyncReader {
  readonly #paths: SessionPaths
  readonly #document: () => DocumentVersion

  /** @param document what the places are in at the moment */
  constructor(paths: SessionPaths, document: () => DocumentVersion) {
    this.#paths = paths
    this.#document = document
  }

  turn(place: TurnPlace): TurnRecord {
    const found = lacksSpan(place) ? withTurnOf(place, parseTurns(this.#whole(), true)) : place
    return this.#texts(placesIn(found)).turn(found)
  }

  head(place: HeadPlace): TurnHead {
    return this.#texts(placesOfHead(place)).head(place)
  }

  part<P extends Part>(place: PartPlace<P>, decode: Decode<P>): P {
    return this.#texts(placesOfParts([place])).part(place, decode)
  }

  bytes(place: Place): Buffer {
    return readBytesSync(place, this.#paths, this.#document())
  }

  #texts(places: readonly Place[]): Texts {
    return new Texts(readTextsSync(places, this.#paths, this.#document()), parseKeepingIntegers)
  }

  #whole(): Buffer {
    return readPartSync('document', 'whole', this.#paths, this.#document())
  }
}

/** The places with the turns of the document, which is parsed as a whole: no turn can be cut out of its form. */
export async function readDocumentTurns<P extends TurnPlace>(
  places: readonly P[],
  reader: PartReader,
  keepBigIntegers: boolean,
): Promise<readonly (P | WholeTurn)[]> {
  return withDocumentTurns(places, parseTurns(await reader.wholeDocument(), keepBigIntegers))
}

/** The places with these turns of the document. */
export function withDocumentTurns<P extends TurnPlace>(
  places: readonly P[],
  turns: readonly TurnRecord[] | null,
): readonly (P | WholeTurn)[] {
  return turns === null ? places : places.map(place => withTurnOf(place, turns))
}

function withTurnOf<P extends TurnPlace>(place: P, turns: readonly TurnRecord[]): P | WholeTurn {
  const turn = turns[itemOf(place) ?? -1]
  return turn === undefined ? place : { turnId: turn.turnId, base: { kind: 'value', turn } }
}

/** The index in the document, of a turn that is there as it is now. */
function itemOf(place: TurnPlace): number | null {
  if (!('base' in place)) return place.item
  return place.base.kind === 'document' ? place.base.item : null
}

/** Turns and their pieces, from the text at their places. */
export class Texts {
  readonly #textOf: (place: Place) => string
  readonly #parse: (text: string) => unknown

  constructor(textOf: (place: Place) => string, parse: (text: string) => unknown = text => JSON.parse(text)) {
    this.#textOf = textOf
    this.#parse = parse
  }

  turn(place: TurnPlace): TurnRecord {
    if (!('base' in place)) {
      return { ...this.head(place.head), ...this.lists(place) }
    }
    const { base } = place
    if (base.kind === 'value') return base.turn
    if (base.span === null) throw new FilesChanged()
    const value = this.#parse(this.#textOf(base.span))
    return base.kind === 'document' ? decodeDocumentTurn(value) : decodeNewTurn(value)
  }

  lists({ toolCalls, items }: Pick<TurnPieces, 'toolCalls' | 'items'>): Lists {
    return {
      toolCalls: toolCalls.map(call => this.part(call, toToolCall)),
      items: items.map(item => this.part(item, toItem)),
    }
  }

  head(place: HeadPlace): TurnHead {
    const text =
      'head' in place ? JSON.stringify(encodeTurnHead(place.head)) : place.places.map(at => this.#textOf(at)).join('')
    const { toolCalls: _calls, items: _items, ...head } = decodeDocumentTurn(this.#parse(text))
    return head
  }

  /** Also of what is in memory: so it is copied, and big integers are as everywhere. */
  part<P extends Part>(place: PartPlace<P>, decode: Decode<P>): P {
    return decode(this.#parse('part' in place ? new PartWrite(place.part).json : this.#textOf(place)))
  }
}

/** For what is written back to disk. */
export function parseKeepingIntegers(text: string): unknown {
  return parseExactly(text).value
}
