import { endOfPiece, fold, unitsOf } from './fold.js'
import type { Terms } from './terms.js'

export interface Snippet {
  /** A part of the source, as it is. */
  readonly snippet: string
  /** Where it has terms: UTF-16 offsets in the snippet, `[start, end)`, ascending, of whole grapheme clusters. */
  readonly ranges: readonly (readonly [start: number, end: number])[]
}

/** How much a snippet shows before the first term and after it, in UTF-16 units. */
const BEFORE = 60
const AFTER = 140

/** Clusters are found in a stretch of text that is longer by this much on each side. */
const MARGIN = 60

const PIECE = 4096

/** The surroundings of the first term in a text that has it. */
export function snippetOf(text: string, { folded }: Terms): Snippet {
  const [first = ''] = folded
  const [start, end] = firstIn(text, first)
  const from = Math.max(0, start - BEFORE - MARGIN)
  const stretch = text.slice(isLow(text, from) ? from - 1 : from, end + AFTER + MARGIN)
  const offset = isLow(text, from) ? from - 1 : from
  const clusters = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(stretch)].map(
    ({ index, segment }) => ({ start: offset + index, end: offset + index + segment.length }),
  )
  const shown = clusters.filter(
    cluster =>
      (cluster.end > start && cluster.start < end) || (cluster.start >= start - BEFORE && cluster.end <= end + AFTER),
  )
  const shift = shown[0]?.start ?? 0
  const snippet = text.slice(shift, shown.at(-1)?.end ?? 0)
  const marked = new Set<number>()
  for (const term of folded) {
    for (const [from, to] of allIn(snippet, term)) {
      shown.forEach((cluster, index) => {
        if (cluster.end - shift > from && cluster.start - shift < to) marked.add(index)
      })
    }
  }
  const ranges: [number, number][] = []
  shown.forEach((cluster, index) => {
    if (!marked.has(index)) return
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === cluster.start - shift) last[1] = cluster.end - shift
    else ranges.push([cluster.start - shift, cluster.end - shift])
  })
  return { snippet, ranges }
}

/** Where a text has a folded term first, in its own units. */
function firstIn(text: string, term: string): [start: number, end: number] {
  let position = -1
  let before = ''
  let length = 0
  // First by pieces, where the term is in the folded text.
  for (let from = 0; from < text.length && position === -1;) {
    const end = endOfPiece(text, from, PIECE)
    const piece = before + fold(text.slice(from, end))
    const at = piece.indexOf(term)
    if (at !== -1) position = length - before.length + at
    length += piece.length - before.length
    before = term.length === 1 ? '' : piece.slice(1 - term.length)
    from = end
  }
  return sourceOf(text, position, position + term.length)
}

/** All places of a folded term in a short text. */
function allIn(text: string, term: string): [start: number, end: number][] {
  const folded = fold(text)
  const found: [number, number][] = []
  for (let at = folded.indexOf(term); at !== -1; at = folded.indexOf(term, at + 1)) {
    found.push(sourceOf(text, at, at + term.length))
  }
  return found
}

/** The units of a text that become `[from, to)` when it is folded. */
function sourceOf(text: string, from: number, to: number): [start: number, end: number] {
  let length = 0
  let start = -1
  for (let piece = 0; piece < text.length;) {
    const pieceEnd = endOfPiece(text, piece, PIECE)
    const folded = fold(text.slice(piece, pieceEnd)).length
    if (length + folded > from) {
      let at = length
      for (const unit of unitsOf(text, piece, pieceEnd)) {
        at += fold(text.slice(unit.start, unit.end)).length
        if (start === -1 && at > from) start = unit.start
        if (at >= to) return [start, unit.end]
      }
    }
    length += folded
    piece = pieceEnd
  }
  return [Math.max(0, start), text.length]
}

function isLow(text: string, index: number): boolean {
  const unit = text.charCodeAt(index)
  return index > 0 && unit >= 0xdc00 && unit < 0xe000
}
