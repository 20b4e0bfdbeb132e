import { cloneSession } from '../records/clone.js'
import type { JsonValue } from '../basics/json.js'
import type { AgentTransitionRecord, SessionRecord, ToolCallRecord, TurnRecord } from '../records/models.js'
import { printable, printableLine } from '../basics/printable.js'
import { timeKey } from '../basics/time.js'

/** An event in a session. `time` is as recorded, `''` if unknown. */
export type TimelineEntry =
  | { readonly kind: 'turn-start'; readonly time: string; readonly turn: TurnRecord; readonly index: number }
  | {
      readonly kind: 'tool-call'
      readonly time: ''
      readonly turn: TurnRecord
      readonly index: number
      readonly toolCall: ToolCallRecord
    }
  | { readonly kind: 'agent-transition'; readonly time: string; readonly transition: AgentTransitionRecord }
  | { readonly kind: 'turn-end'; readonly time: string; readonly turn: TurnRecord; readonly index: number }

/** A read-only view of a session. Everything it returns is frozen. */
export interface SessionReplay {
  readonly session: Readonly<SessionRecord>
  readonly turns: readonly TurnRecord[]
  /** A turn by index, negative from the end, or by id. If an old file contains an id twice, the last one. */
  turn(place: number | string): TurnRecord | undefined
  /** The tool calls of all turns, in order. */
  readonly toolCalls: readonly ToolCallRecord[]
  readonly transitions: readonly AgentTransitionRecord[]
  /**
   * All events in time order. An event without a valid time, such as a tool call, follows the event that was
   * recorded before it. Within a turn the recorded order is: start, tool calls, agent transitions, end. A
   * running turn has no end.
   */
  readonly timeline: readonly TimelineEntry[]
  /**
   * The part of the session that involves one agent: its turns, and the agent transitions from and to it. A
   * turn without an agent belongs to the session's agent.
   */
  forAgent(agentId: string): SessionReplay
  /** The session as Markdown. Its contents are escaped and cannot alter the structure of the document. */
  toMarkdown(): string
}

/**
 * Creates a read-only view of a session. The record is copied.
 *
 * @example
 * const replay = replaySession(session)
 * for (const entry of replay.timeline) console.log(entry.time, entry.kind)
 * console.log(replay.turn(-1)?.responseContent, replay.forAgent('billing').toMarkdown())
 */
export function replaySession(record: SessionRecord): SessionReplay {
  return viewFrozen(freeze(cloneSession(record)))
}

function viewFrozen(session: SessionRecord): SessionReplay {
  const { turns, agentTransitions: transitions } = session
  return Object.freeze({
    session,
    turns,
    turn: (place: number | string) =>
      typeof place === 'number' ? turns.at(place) : turns.findLast(({ turnId }) => turnId === place),
    toolCalls: Object.freeze(turns.flatMap(({ toolCalls }) => toolCalls)),
    transitions,
    timeline: Object.freeze(timelineOf(session)),
    forAgent: (agentId: string) =>
      viewFrozen(
        freeze({
          ...session,
          turns: turns.filter(turn => (turn.agentId ?? session.agentId) === agentId),
          agentTransitions: transitions.filter(
            ({ fromAgent, toAgent }) => fromAgent === agentId || toAgent === agentId,
          ),
        }),
      ),
    toMarkdown: () => markdownOf(session),
  })
}

/** Deep-freezes a record. Skips values that are already frozen. */
function freeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) freeze(member)
  }
  return Object.freeze(value)
}

function timelineOf(session: SessionRecord): TimelineEntry[] {
  return inTimeOrder(recordedEntries(session).map(entry => Object.freeze(entry)))
}

function recordedEntries({ turns, agentTransitions }: SessionRecord): TimelineEntry[] {
  const transitions = byTurn(agentTransitions)
  const entries: TimelineEntry[] = []
  for (const [index, turn] of turns.entries()) {
    entries.push({ kind: 'turn-start', time: turn.startedAt, turn, index })
    for (const toolCall of turn.toolCalls) entries.push({ kind: 'tool-call', time: '', turn, index, toolCall })
    for (const transition of transitions.get(turn.turnId) ?? []) entries.push(transitionEntry(transition))
    transitions.delete(turn.turnId)
    if (turn.endedAt !== null || turn.status !== 'running') {
      entries.push({ kind: 'turn-end', time: turn.endedAt ?? '', turn, index })
    }
  }
  // The remaining ones belong to no turn, or to one that is not in the record.
  for (const transition of [...transitions.values()].flat()) entries.push(transitionEntry(transition))
  return entries
}

function byTurn(transitions: readonly AgentTransitionRecord[]): Map<string, AgentTransitionRecord[]> {
  const groups = new Map<string, AgentTransitionRecord[]>()
  for (const transition of transitions) {
    const group = groups.get(transition.turnId)
    if (group === undefined) groups.set(transition.turnId, [transition])
    else group.push(transition)
  }
  return groups
}

function transitionEntry(transition: AgentTransitionRecord): TimelineEntry {
  return { kind: 'agent-transition', time: transition.timestamp, transition }
}

/** Sorts by time. An entry without a time stays with the entry before it. */
function inTimeOrder(entries: readonly TimelineEntry[]): TimelineEntry[] {
  const groups: { key: string; entries: TimelineEntry[] }[] = [{ key: '', entries: [] }]
  for (const entry of entries) {
    const key = timeKey(entry.time)
    if (key === '') groups.at(-1)?.entries.push(entry)
    else groups.push({ key, entries: [entry] })
  }
  return groups.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).flatMap(({ entries }) => entries)
}

/*
 * Markdown. Content is put in fences and code spans longer than any run of backticks in it.
 */

function markdownOf(session: SessionRecord): string {
  const facts = [
    fact('Workspace', session.workspaceId),
    fact('Agent', session.agentId),
    fact('Forked from', session.parentSessionId),
    fact('Created', session.createdAt),
    fact('Updated', session.updatedAt),
  ]
  const transitions = byTurn(session.agentTransitions)
  const turns = session.turns.map((turn, index) => {
    const transitionsOfTurn = transitions.get(turn.turnId) ?? []
    transitions.delete(turn.turnId)
    return markdownOfTurn(turn, index, transitionsOfTurn)
  })
  const others = [...transitions.values()].flat()
  return blocks([
    `# Session ${span(session.sessionId)}`,
    facts.filter(Boolean).join('\n'),
    Object.keys(session.metadata).length === 0 ? '' : fence(JSON.stringify(session.metadata, null, 2), 'json'),
    ...turns,
    others.length === 0 ? '' : blocks(['## Agent transitions', others.map(markdownOfTransition).join('\n')]),
  ]).concat('\n')
}

function markdownOfTurn(turn: TurnRecord, index: number, transitions: readonly AgentTransitionRecord[]): string {
  const facts = [
    fact('Status', turn.status),
    fact('Agent', turn.agentId),
    fact('Started', turn.startedAt),
    fact('Ended', turn.endedAt),
  ]
  return blocks([
    `## Turn ${index + 1}: ${span(turn.turnId)}`,
    facts.filter(Boolean).join('\n'),
    ...labelled('Prompt', turn.prompt),
    ...turn.toolCalls.map(markdownOfToolCall),
    transitions.map(markdownOfTransition).join('\n'),
    ...labelled('Response', turn.responseContent),
    ...labelled('Error', turn.error),
  ])
}

function markdownOfToolCall(call: ToolCallRecord): string {
  const duration = call.durationMs === null ? '' : `, ${call.durationMs} ms`
  return blocks([
    `### Tool call ${span(call.toolName)} (${span(call.callId)}): ${span(call.status)}${duration}`,
    fence(JSON.stringify(call.arguments, null, 2), 'json'),
    ...labelled('Result', call.result === null ? null : asText(call.result)),
    ...labelled('Error', call.error),
  ])
}

function markdownOfTransition({ fromAgent, toAgent, reason }: AgentTransitionRecord): string {
  const from = fromAgent === null ? '' : ` from ${span(fromAgent)}`
  return `- Agent transition${from} to ${span(toAgent)}${reason === null ? '' : `: ${span(reason)}`}`
}

function fact(name: string, value: string | null): string {
  return value === null || value === '' ? '' : `- ${name}: ${span(value)}`
}

function labelled(label: string, text: string | null): string[] {
  return text === null || text === '' ? [] : [`**${label}**`, fence(text)]
}

function asText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

function blocks(parts: readonly string[]): string {
  return parts.filter(part => part !== '').join('\n\n')
}

function fence(content: string, language = ''): string {
  const text = printable(content)
  const marks = '`'.repeat(Math.max(3, longestRun(text) + 1))
  return `${marks}${language}\n${text}\n${marks}`
}

function span(content: string): string {
  const text = printableLine(content)
  const marks = '`'.repeat(longestRun(text) + 1)
  // The spaces separate a backtick at the edge from the delimiters. CommonMark strips them.
  return /^[\s`]|[\s`]$|^$/.test(text) ? `${marks} ${text} ${marks}` : `${marks}${text}${marks}`
}

/** The length of the longest run of backticks. */
function longestRun(text: string): number {
  let longest = 0
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length)
  return longest
}
