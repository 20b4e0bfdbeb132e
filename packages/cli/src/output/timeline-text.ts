import {
  printableLine,
  type SessionReplay,
  type TimelineEntry,
  type ToolCallRecord,
  type TurnRecord,
} from '@turnstore/core'
import { count } from '../terminal/figure.js'

/** Longer text is truncated. In characters. */
const MAX_TEXT = 160

/** An overview of a session, one line per event. */
export function timelineText(replay: SessionReplay): string {
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
  const lines = [
    `${session.sessionId}${belongs.length === 0 ? '' : `  (${belongs.join(', ')})`}`,
    counts.join(', '),
    ...timeline.flatMap(entry => linesOf(entry)),
  ]
  return `${lines.map(line => printableLine(line).trimEnd()).join('\n')}\n`
}

function linesOf(entry: TimelineEntry): string[] {
  const time = entry.time === '' ? '' : `  ${entry.time}`
  switch (entry.kind) {
    case 'turn-start':
      return startOf(entry.turn, entry.index, time)
    case 'tool-call':
      return [callLine(entry.toolCall)]
    case 'turn-end':
      return endOf(entry.turn, time)
    default: {
      const { fromAgent, toAgent, reason } = entry.transition
      return [
        `   @ agent transition from ${fromAgent ?? '?'} to ${toAgent}${reason === null ? '' : `: ${short(reason)}`}${time}`,
      ]
    }
  }
}

function startOf({ turnId, agentId, prompt, status }: TurnRecord, index: number, time: string): string[] {
  const state = status === 'success' ? '' : `  [${status}]`
  const heading = `${index + 1}. ${turnId}${agentId === null ? '' : `  ${agentId}`}${time}${state}`
  return ['', heading, ...(prompt === '' ? [] : [`   > ${short(prompt)}`])]
}

function callLine(call: ToolCallRecord): string {
  const { toolName, arguments: given, status } = call
  return `   * ${toolName} ${short(JSON.stringify(given))} = ${status === 'success' ? '' : `[${status}] `}${short(outcomeOf(call))}`
}

function outcomeOf({ error, result }: ToolCallRecord): string {
  if (error !== null) return error
  if (result === null) return ''
  return typeof result === 'string' ? result : JSON.stringify(result)
}

function endOf(turn: TurnRecord, time: string): string[] {
  const lines = [
    ...(turn.responseContent === null ? [] : [`   < ${short(turn.responseContent)}`]),
    ...(turn.error === null ? [] : [`   ! ${short(turn.error)}`]),
  ]
  const last = lines.pop() ?? (time === '' ? null : '   (no response)')
  return last === null ? [] : [...lines, `${last}${time}`]
}

function short(text: string): string {
  const line = printableLine(text.slice(0, 4 * MAX_TEXT))
  const characters = Array.from(line)
  return characters.length > MAX_TEXT || text.length > 4 * MAX_TEXT
    ? `${characters.slice(0, MAX_TEXT).join('')}…`
    : line
}
