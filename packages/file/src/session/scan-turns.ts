import { cloneTurn, mayMatch, type ScannedTurns, type Terms } from '@turnstore/core/adapter'
import { readHeadsAt, readTurnsAt } from './assemble-turns.js'
import { readTexts } from './read-places.js'
import type { TurnIndex } from './turn-index.js'
import type { SessionFiles, TurnPlace } from './turn-places.js'

/** A turn with more parts is examined part by part. */
const MOST_PARTS = 256

/**
 * The turns `[first, end)` that may match a search. A turn in one piece is decoded only if its text may match.
 * @throws `FilesChanged`; `CORRUPT_SESSION`
 */
export async function scanTurnsAt(
  first: number,
  end: number,
  index: TurnIndex,
  files: SessionFiles,
  terms: Terms,
): Promise<Omit<ScannedTurns, 'next'>> {
  // The first read of a document has parsed its turns.
  const known = index.takeDocumentTurns()
  const heads = index.headsIn(first, end)
  const whole = index.placesIn(first, end).map((place, at) => ({ place, index: first + at, head: heads[at] }))
  const spans = whole.flatMap(({ place, index }) => (known[index] === undefined && 'span' in place ? [place.span] : []))
  const textOf = await readTexts(spans, files)
  let units = 0
  const turns: ScannedTurns['turns'][number][] = []
  for (const { place, index, head } of whole) {
    const turn = known[index]
    if (turn !== undefined) {
      turns.push({ index, turn })
    } else if (head !== undefined && isLarge(place)) {
      for (const read of await readHeadsAt([head], files)) turns.push({ index, turn: read })
    } else {
      const text = 'span' in place ? textOf(place.span) : ''
      units += text.length
      if ('span' in place && !mayMatch(terms, text)) continue
      for (const read of await readTurnsAt([place], files)) turns.push({ index, turn: read })
    }
  }
  // Copies have numbers in place of big integers, as everywhere.
  if (!index.hasBigIntegers) return { turns, units }
  return {
    turns: turns.map(({ index, turn }) => ({ index, turn: 'toolCalls' in turn ? cloneTurn(turn) : turn })),
    units,
  }
}

function isLarge(place: TurnPlace): boolean {
  return 'head' in place && place.toolCalls.length + place.items.length > MOST_PARTS
}
