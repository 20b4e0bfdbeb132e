import { isEnded, printableLine, type SessionSummary } from '@turnstore/core'
import type { Paint, Style } from '../terminal/colors.js'
import { count, figure } from '../terminal/figure.js'
import { type Cell, type Column, tableLines } from './table.js'

const columns: readonly Column[] = [
  { heading: 'SESSION' },
  { heading: 'WORKSPACE', goes: 5 },
  { heading: 'AGENT', goes: 6 },
  { heading: 'STATUS' },
  { heading: 'TURNS', goes: 2, isNumber: true },
  { heading: 'UPDATED', goes: 3 },
  { heading: 'TITLE', goes: 1, least: 12 },
  { heading: 'LAST PROMPT', goes: 4, least: 12 },
]

const styles: Readonly<Record<string, Style>> = { running: 'yellow', error: 'red', interrupted: 'red' }

/** One line per session; more on a terminal that is too narrow. `width`: of the terminal, if there is one. */
export function sessionTable(sessions: readonly SessionSummary[], paint: Paint, width?: number): string[] {
  return tableLines(columns, sessions.map(width === undefined ? cellsOf : cellsOnTerminal), paint, width)
}

function cellsOf(session: SessionSummary): Cell[] {
  const { sessionId, workspaceId, agentId, turnCount, updatedAt, lastTurn, metadata } = session
  const status = lastTurn?.status ?? '-'
  const { title } = metadata
  const cells: Cell[] = [
    { text: sessionId },
    { text: workspaceId ?? '-' },
    { text: agentId ?? '-' },
    { text: isEnded(session) ? `${status}, ended` : status, ...styleOf(status) },
    { text: figure(turnCount), alone: count(turnCount, 'turn') },
    { text: updatedAt === '' ? '-' : updatedAt },
    { text: typeof title === 'string' && title !== '' ? title : '-' },
    { text: lastTurn === null || lastTurn.prompt === '' ? '-' : lastTurn.prompt },
  ]
  return cells.map(cell => ({ ...cell, text: printableLine(cell.text) }))
}

/** Without fractions of a second. */
function cellsOnTerminal(session: SessionSummary): Cell[] {
  return cellsOf({ ...session, updatedAt: session.updatedAt.replace(/\.\d+/, '') })
}

function styleOf(status: string): { style?: Style } {
  const style = Object.hasOwn(styles, status) ? styles[status] : undefined
  return style === undefined ? {} : { style }
}
