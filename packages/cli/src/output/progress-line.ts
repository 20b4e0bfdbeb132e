import { count } from '../terminal/figure.js'
import { clipped, widthOf } from './clipped.js'

interface Progressing {
  /** What is being done: `Importing chats.jsonl`. */
  readonly verb: string
  /** From 0 to 1. */
  readonly share: number
  readonly sessions: number
  /** Seconds left; not a finite number if unknown. */
  readonly eta: number
  /** Of the terminal, if known. */
  readonly columns: number | undefined
}

const LONGEST_BAR = 40
const SHORTEST_BAR = 5
const SHORTEST_VERB = 12

/** One line that fits the terminal: with less room, the bar becomes shorter, then the verb, then both are missing. */
export function progressLine({ verb, share, sessions, eta, columns = 80 }: Progressing): string {
  // A line as wide as the terminal would wrap in some.
  const width = columns - 1
  const figures = `${Math.floor(share * 100)}%, ${count(sessions, 'session')}${timeLeft(eta)}`
  const room = width - widthOf(figures) - 1
  if (room < SHORTEST_VERB) return clipped(figures, width)
  const bar = Math.min(LONGEST_BAR, room - widthOf(verb) - ' []'.length)
  if (bar < SHORTEST_BAR) return `${clipped(verb, room)} ${figures}`
  const done = Math.round(bar * share)
  return `${verb} [${'='.repeat(done)}${'-'.repeat(bar - done)}] ${figures}`
}

function timeLeft(seconds: number): string {
  if (!Number.isFinite(seconds)) return ''
  const whole = Math.max(0, Math.ceil(seconds))
  const minutes = Math.floor(whole / 60)
  return minutes === 0 ? `, ${whole}s left` : `, ${minutes}m${String(whole % 60).padStart(2, '0')}s left`
}
