import type { Span } from '../../src/inspector/answers.ts'
import { msOf } from '../widgets/times.ts'

/** When something was, in milliseconds. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

/** Where a moment is, from 0 to 1. */
export interface Scale {
  readonly stretches: readonly (Stretch | null)[]
  at(ms: number): number
  /** The moment that is drawn there. */
  momentAt(place: number): number
  /** Moments that are drawn at the beginnings of quiet times that are cut short. */
  readonly cuts: readonly number[]
}

/**
 * Turns on a line of time. With `isShort`, times in which no turn ran are drawn as at most a fiftieth of the rest.
 * @param now the end of turns that are running
 */
export function scaleOf(spans: readonly Span[], now: number, isShort: boolean): Scale {
  const stretches = spans.map(span => stretchOf(span, now))
  const known = stretches.filter(stretch => stretch !== null)
  const busy = joined(known)
  const longest = isShort ? Math.max(1000, total(busy) / 50) : Number.POSITIVE_INFINITY
  const pieces: { from: number; x: number; length: number; drawn: number }[] = []
  const cuts: number[] = []
  let x = 0
  for (const [index, { start, end }] of busy.entries()) {
    pieces.push({ from: start, x, length: end - start, drawn: end - start })
    x += end - start
    const next = busy[index + 1]
    if (next === undefined) break
    const drawn = Math.min(next.start - end, longest)
    if (drawn < next.start - end) cuts.push(end)
    pieces.push({ from: end, x, length: next.start - end, drawn })
    x += drawn
  }
  const length = Math.max(1, x)
  const at = (ms: number): number => {
    const piece = pieces.findLast(({ from }) => from <= ms)
    if (piece === undefined) return 0
    const within = piece.length === 0 ? 0 : Math.min(1, (ms - piece.from) / piece.length) * piece.drawn
    return Math.min(1, (piece.x + within) / length)
  }
  const momentAt = (place: number): number => {
    const piece = pieces.findLast(({ x }) => x <= place * length)
    if (piece === undefined) return Number.NaN
    return (
      piece.from +
      (piece.drawn === 0 ? 0 : (Math.min(place * length - piece.x, piece.drawn) / piece.drawn) * piece.length)
    )
  }
  return { stretches, at, momentAt, cuts }
}

function stretchOf({ startedAt, endedAt, status }: Span, now: number): Stretch | null {
  const start = msOf(startedAt)
  const end = endedAt === null && status === 'running' ? now : msOf(endedAt)
  if (Number.isNaN(start)) return null
  return { start, end: Number.isNaN(end) ? start : Math.max(start, end) }
}

/** Stretches that overlap as one, in order. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const busy: { start: number; end: number }[] = []
  for (const { start, end } of stretches.toSorted((one, other) => one.start - other.start)) {
    const last = busy.at(-1)
    if (last === undefined || start > last.end) busy.push({ start, end })
    else last.end = Math.max(last.end, end)
  }
  return busy
}

function total(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { start, end }) => sum + end - start, 0)
}
