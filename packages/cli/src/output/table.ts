import type { Paint, Style } from '../terminal/colors.js'
import { clipped, padded, widthOf } from './clipped.js'

export interface Column {
  readonly heading: string
  /** The first to go if a terminal has too little room are those with the highest number. Without it: it stays. */
  readonly goes?: number
  /** Its cells are clipped to what room is left, down to this many columns. */
  readonly least?: number
  readonly isNumber?: true
}

export interface Cell {
  readonly text: string
  /** For a cell that is not under its heading: with what it counts. */
  readonly alone?: string
  readonly style?: Style
}

const GAP = 2

/**
 * Lines of a table. On a terminal, it fits `width`: columns without content and those that may go are left out, long
 * cells are clipped, and if even that does not fit, each row becomes several lines.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly Cell[][],
  paint: Paint,
  width?: number,
): string[] {
  const headings = columns.map(({ heading }) => ({ text: heading, style: 'bold' as const }))
  const widths = columns.map((_, index) => Math.max(...[headings, ...rows].map(row => widthOf(row[index]?.text ?? ''))))
  const shown = width === undefined ? columns.map((_, index) => index) : columnsThatFit(columns, rows, widths, width)
  if (shown === null) return rows.flatMap(row => stacked(row, paint, width ?? Infinity))
  const room = width === undefined ? widths : roomFor(columns, widths, shown, width)
  return [headings, ...rows].map(row => {
    const cells = shown.map((index, place) => {
      const { text, style } = row[index] ?? { text: '' }
      const space = room[index] ?? 0
      const isLast = place === shown.length - 1
      const shownText = clipped(text, space)
      const cell = columns[index]?.isNumber ? text.padStart(space) : isLast ? shownText : padded(shownText, space)
      return style === undefined ? cell : paint(style, cell)
    })
    return cells.join(' '.repeat(GAP)).trimEnd()
  })
}

/** Indexes of the columns to show; null if too many would have to go. */
function columnsThatFit(
  columns: readonly Column[],
  rows: readonly Cell[][],
  widths: readonly number[],
  width: number,
): number[] | null {
  let shown = columns.flatMap((column, index) => {
    const isEmpty = column.goes !== undefined && rows.every(row => isBlank(row[index]))
    return isEmpty ? [] : [index]
  })
  while (leastWidth(columns, widths, shown) > width) {
    const last = shown.reduce<number | null>((found, index) => {
      const goes = columns[index]?.goes
      const best = found === null ? 0 : (columns[found]?.goes ?? 0)
      return goes !== undefined && goes > best ? index : found
    }, null)
    if (last === null) return null
    shown = shown.filter(index => index !== last)
  }
  return shown
}

function leastWidth(columns: readonly Column[], widths: readonly number[], shown: readonly number[]): number {
  const needed = shown.map(index => Math.min(widths[index] ?? 0, columns[index]?.least ?? Infinity))
  return needed.reduce((sum, one) => sum + one, GAP * (shown.length - 1))
}

/** Gives the columns that may be clipped what room is left, the first one first. */
function roomFor(
  columns: readonly Column[],
  widths: readonly number[],
  shown: readonly number[],
  width: number,
): number[] {
  let left = width - leastWidth(columns, widths, shown)
  return widths.map((wanted, index) => {
    const least = columns[index]?.least
    if (least === undefined || !shown.includes(index)) return wanted
    const given = Math.min(wanted, least + left)
    left -= Math.max(0, given - least)
    return given
  })
}

/** The first cell on a line of its own, which is never clipped, so that it can be copied. */
function stacked([first, ...others]: readonly Cell[], paint: Paint, width: number): string[] {
  const rest = others.filter(cell => !isBlank(cell)).map(({ text, alone }) => alone ?? text)
  const lines: string[] = []
  for (const text of rest) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(last) + widthOf(text) + GAP <= width) lines[lines.length - 1] = `${last}, ${text}`
    else lines.push(`  ${clipped(text, width - GAP)}`)
  }
  return [paint('bold', first?.text ?? ''), ...lines]
}

function isBlank(cell: Cell | undefined): boolean {
  return cell === undefined || cell.text === '' || cell.text === '-'
}
