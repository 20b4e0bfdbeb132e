import type { PartCounts, TurnHead, TurnHeadRecord, TurnRecord } from '@turnstore/core'
import { decodeItem, decodeToolCall, encodeTurnHead, headOf, type Part, PartWrite } from '@turnstore/core/adapter'
import { decodeDocumentTurn, turnText } from '../format/document-turn.js'
import { parseExactly } from '../format/exact-json.js'
import { decodeNewTurn } from '../format/journal-entry.js'
import { readTexts, readTextsSync, type TextOf } from './read-places.js'
import {
  type HeadPlace,
  type PartPlace,
  type Place,
  placesIn,
  placesOfHead,
  placesOfParts,
  type SessionFiles,
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
 * @param known turns that need not be read, by index
 * @throws `FilesChanged`; `CORRUPT_SESSION`
 */
export async function readTurnsAt(
  places: readonly TurnPlace[],
  files: SessionFiles,
  known: readonly (TurnRecord | undefined)[] = [],
): Promise<TurnRecord[]> {
  const toRead = places.flatMap((place, index) => (known[index] === undefined ? placesIn(place) : []))
  const texts = new Texts(await readTexts(toRead, files))
  return places.map((place, index) => known[index] ?? texts.turn(place))
}

/** The head of a turn, and how many parts it has; or all of it, if it is in one piece. */
export type HeadToRead = WholeTurn | { readonly head: HeadPlace; readonly partCounts: PartCounts }

/** Reads the heads of turns, without the parts of those that have them in places of their own. */
export async function readHeadsAt(heads: readonly HeadToRead[], files: SessionFiles): Promise<TurnHeadRecord[]> {
  const toRead = heads.flatMap(head => ('head' in head ? placesOfHead(head.head) : placesIn(head)))
  const texts = new Texts(await readTexts(toRead, files))
  return heads.map(head =>
    'head' in head ? { ...texts.head(head.head), partCounts: { ...head.partCounts } } : headOf(texts.turn(head)),
  )
}

/** The parts of a turn in both of its lists. */
type Lists = Pick<TurnRecord, 'toolCalls' | 'items'>

/** Reads parts of a turn. @throws `FilesChanged` */
export async function readListsAt(
  { toolCalls = [], items = [] }: Partial<Pick<TurnPieces, 'toolCalls' | 'items'>>,
  files: SessionFiles,
): Promise<Lists> {
  const textOf = await readTexts([...placesOfParts(toolCalls), ...placesOfParts(items)], files)
  return new Texts(textOf).lists({ toolCalls, items })
}

/** What decisions in progress read, synchronously. It is little, or rare. Big integers are kept. */
export class SyncReader {
  readonly #files: SessionFiles

  constructor(files: SessionFiles) {
    this.#files = files
  }

  turn(place: TurnPlace): TurnRecord {
    return this.#texts(placesIn(place)).turn(place)
  }

  head(place: HeadPlace): TurnHead {
    return this.#texts(placesOfHead(place)).head(place)
  }

  part<P extends Part>(place: PartPlace<P>, decode: Decode<P>): P {
    return this.#texts(placesOfParts([place])).part(place, decode)
  }

  #texts(places: readonly Place[]): Texts {
    return new Texts(readTextsSync(places, this.#files), parseKeepingIntegers)
  }
}

/** Turns and their pieces, from the text at their places. What is in memory is copied. */
export class Texts {
  readonly #textOf: TextOf
  readonly #parse: (text: string) => unknown

  constructor(textOf: TextOf, parse: (text: string) => unknown = text => JSON.parse(text)) {
    this.#textOf = textOf
    this.#parse = parse
  }

  turn(place: TurnPlace): TurnRecord {
    if ('head' in place) return { ...this.head(place.head), ...this.lists(place) }
    if ('turn' in place) return decodeDocumentTurn(this.#parse(turnText(place.turn)))
    const value = this.#parse(this.#textOf(place.span))
    return 'journal' in place.span ? decodeNewTurn(value) : decodeDocumentTurn(value)
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

  part<P extends Part>(place: PartPlace<P>, decode: Decode<P>): P {
    return decode(this.#parse('part' in place ? new PartWrite(place.part).json : this.#textOf(place)))
  }
}

/** For what is written back to disk. */
export function parseKeepingIntegers(text: string): unknown {
  return parseExactly(text).value
}
