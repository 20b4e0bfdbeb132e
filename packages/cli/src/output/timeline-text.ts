import {
  printableLine,
  type SessionReplay,
  type TimelineEntry,
  type ToolCallRecord,
  type TurnRecord,
} from '@turnstore/core'
import type { Paint, Style } from '../terminal/colors.js'
import { count } from '../terminal/figure.js'
import { wrap } from '../terminal/wrap.js'

/** Longer text is truncated. In characters. */
const MAX_TEXT = 160

interface Line {
  readonly text: string
  readonly style?: Style
}

/** Continued lines stand below the text of the line, not below its sign. */
const HANGING = 5

/** An overview of a session, one line per event. `width`: of the terminal, if there is one. */
export function timelineText(replay: SessionReplay, paint: Paint, width: number = Infinity): string {
  const { session, turns, toolCalls, transitions, timeline } = replay
  const belongs = [
    ...(session.workspaceId === null ? [] : [`workspace ${session.workspaceId}`]),
    ...(session.agentId === null ? [] : [`agent ${session.agentId}`]),
    ...(session.parentSessionId === null ? [] : [`forked from ${session.parentSessionId}`]),
  ]
  const counts = [
    count(turns.length, 'turn'),
    count(toolCalls.length, 'tool call'),
    count(transitions.length, 'agent transition'),
  ]
  const lines: Line[] = [
    { text: `${session.sessionId}${belongs.length === 0 ? '' : `  (${belongs.join(', ')})`}`, style: 'bold' },
    { text: counts.join(', ') },
    ...timeline.flatMap(entry => linesOf(entry)),
  ]
  const written = lines.flatMap(({ text, style }) =>
    wrap(printableLine(text).trimEnd(), width, HANGING).map(line => (style === undefined ? line : paint(style, line))),
  )
  return `${written.join('\n')}\n`
}

function linesOf(entry: TimelineEntry): Line[] {
  const time = entry.time === '' ? '' : `  ${entry.time}`
  switch (entry.kind) {
    case 'turn-start':
      return startOf(entry.turn, entry.index, time)
    case 'tool-call':
      return [{ text: callLine(entry.toolCall), ...(hasFailed(entry.toolCall) ? { style: 'red' } : {}) }]
    case 'turn-end':
      return endOf(entry.turn, time)
    default: {
      const { fromAgent, toAgent, reason } = entry.transition
      return [
        {
          text: `   @ agent transition from ${fromAgent ?? '?'} to ${toAgent}${reason === null ? '' : `: ${short(reason)}`}${time}`,
        },
      ]
    }
  }
}

function startOf({ turnId, agentId, prompt, status }: TurnRecord, index: number, time: string): Line[] {
  const state = status === 'success' ? '' : `  [${status}]`
  const heading = `${index + 1}. ${turnId}${agentId === null ? '' : `  ${agentId}`}${time}${state}`
  const said = prompt === '' ? [] : [{ text: `   > ${short(prompt)}` }]
  return [{ text: '' }, { text: heading, style: 'bold' }, ...said]
}

export function hasFailed({ status }: ToolCallRecord): boolean {
  return status === 'error' || status === 'timeout'
}

export function callLine(call: ToolCallRecord): string {
  const { toolName, arguments: given, status } = call
  return `   * ${toolName} ${short(JSON.stringify(given))} = ${status === 'success' ? '' : `[${status}] `}${short(outcomeOf(call))}`
}

function outcomeOf({ error, result }: ToolCallRecord): string {
  if (error !== null) return error
  if (result === null) return ''
  return typeof result === 'string' ? result : JSON.stringify(result)
}

function endOf(turn: TurnRecord, time: string): Line[] {
  const lines: Line[] = [
    ...(turn.responseContent === null ? [] : [{ text: `   < ${short(turn.responseContent)}` }]),
    ...(turn.error === null ? [] : [{ text: `   ! ${short(turn.error)}`, style: 'red' as const }]),
  ]
  const last = lines.pop() ?? (time === '' ? null : { text: '   (no response)' })
  return last === null ? [] : [...lines, { ...last, text: `${last.text}${time}` }]
}

function short(text: string): string {
  const line = printableLine(text.slice(0, 4 * MAX_TEXT))
  const characters = Array.from(line)
  return characters.length > MAX_TEXT || text.length > 4 * MAX_TEXT
    ? `${characters.slice(0, MAX_TEXT).join('')}…`
    : line
}
