import type { JsonValue, SessionChange, ToolCallRecord, TurnRecord, TurnUpdate } from '@turnstore/core'
import { canonicalJson, digestOf, isValidId } from '@turnstore/core/adapter'
import { FORMAT, type Message } from '../messages/message.js'
import { turnsOf } from '../messages/turns.js'
import { openingOf, type Wanted } from './align.js'
import { begunCall } from './begun-call.js'
import { isAhead, messageItems } from './exchange.js'
import { marked, markOf, type RunMark } from './run-mark.js'

export interface SaveOptions {
  readonly now: string
  readonly agentId: string | null
  /** The run that is to answer the last turn. */
  readonly mark?: RunMark
}

export interface SavePlan {
  readonly change: SessionChange
  readonly isEmpty: boolean
  /** Null if no turn is left. */
  readonly lastTurnId: string | null
}

/** The change that makes the stored turns those that are wanted. Turns that stay as they are are not written. */
export function planSave(storedCount: number, wanted: readonly Wanted[], options: SaveOptions): SavePlan {
  const { now, agentId, mark } = options
  const ids = new Set(wanted.flatMap(({ before }) => (before === null ? [] : [before.turn.turnId])))
  const updateTurns: TurnUpdate[] = []
  const appendTurns: TurnRecord[] = []
  let lastTurnId: string | null = null
  for (const [index, { before, messages }] of wanted.entries()) {
    const isLast = index === wanted.length - 1
    const own = isLast && mark !== undefined ? { now, mark } : { now }
    if (before === null) {
      lastTurnId = turnIdFor(messages, ids)
      appendTurns.push(newTurn(lastTurnId, messages, { ...own, isLast, agentId }))
      continue
    }
    const { turn } = before
    lastTurnId = turn.turnId
    const update =
      messages === before.messages ? kept(turn, own, isLast) : rewritten(turn, messages, { ...own, isLast })
    if (update !== null) updateTurns.push(update)
  }
  const keepTurns = wanted.length - appendTurns.length
  const isCut = keepTurns < storedCount
  const isEmpty = !isCut && updateTurns.length === 0 && appendTurns.length === 0
  const reopen = appendTurns.length === 0 ? {} : { reopen: true }
  const change = { ...(isCut ? { keepTurns } : {}), updateTurns, appendTurns, updatedAt: now, ...reopen }
  return { change, isEmpty, lastTurnId }
}

interface TurnOptions {
  readonly now: string
  readonly mark?: RunMark
  readonly isLast: boolean
}

/** A user message gives its turn its id, so that a retry finds it. */
function turnIdFor(messages: readonly Message[], taken: Set<string>): string {
  const id = openingOf(messages)?.id ?? ''
  let turnId = id
  for (let count = 0; !isValidId(turnId) || taken.has(turnId); count++) turnId = digestOf([FORMAT, id, count])
  taken.add(turnId)
  return turnId
}

function newTurn(
  turnId: string,
  messages: readonly Message[],
  { now, mark, isLast, agentId }: TurnOptions & { readonly agentId: string | null },
): TurnRecord {
  const read = readTurn(turnId, messages)
  const isRunning = mark !== undefined || (isLast && read.status === 'running')
  return {
    ...read,
    agentId,
    startedAt: now,
    endedAt: isRunning ? null : now,
    status: isRunning ? 'running' : 'success',
    items: messages.map(value => ({ itemId: crypto.randomUUID(), format: FORMAT, value })),
    metadata: { ...read.metadata, ...(mark === undefined ? {} : marked(mark)) },
  }
}

/** A turn of which the messages stay. Null to leave it as it is. */
function kept(turn: TurnRecord, { now, mark }: Omit<TurnOptions, 'isLast'>, isLast: boolean): TurnUpdate | null {
  const { turnId } = turn
  if (mark !== undefined) return { turnId, set: { status: 'running', endedAt: null }, setMetadata: marked(mark) }
  if (isLast || turn.status !== 'running') return null
  // The next message ends it, and the run that may still write to it.
  const before = markOf(turn)
  const setMetadata = before === null ? {} : { setMetadata: marked({ ...before, runId: null }) }
  return { turnId, set: { status: isAhead(turn) ? 'interrupted' : 'success', endedAt: now }, ...setMetadata }
}

export interface RewriteOptions extends TurnOptions {
  /** Default: running if it is the last turn and not answered, or a run is to answer it. */
  readonly status?: 'success' | 'running' | 'cancelled'
}

/** Turns a stored turn into one of these messages, in its place. */
export function rewritten(
  turn: TurnRecord,
  messages: readonly Message[],
  { now, mark, isLast, status }: RewriteOptions,
): TurnUpdate {
  const { turnId } = turn
  const read = readTurn(turnId, messages)
  const isRunning = mark !== undefined || (isLast && read.status === 'running')
  const old = messageItems(turn)
  const items = messages.map((value, index) => ({ ...(old[index] ?? { itemId: crypto.randomUUID() }), value }))
  const ids = new Set(items.map(({ itemId }) => itemId))
  const oldValues = new Map(old.map(({ itemId, value }) => [itemId, canonicalJson(value)]))
  const oldCalls = new Map(turn.toolCalls.map(call => [call.callId, call]))
  const calls = read.toolCalls.map(call => {
    const known = oldCalls.get(call.callId)
    const durationMs = known?.toolName === call.toolName ? known.durationMs : null
    return { ...call, durationMs, replace: true }
  })
  // The tools of a run that was stopped may still answer.
  const late = turn.toolCalls.filter(call => status === 'cancelled' && begunCall(call)?.isAnswered === false)
  const lateIds = new Set(late.map(({ callId }) => callId))
  const callIds = new Set([...calls.map(({ callId }) => callId), ...lateIds])
  const isAsked = read.prompt === turn.prompt
  const before = turn.status === 'running' ? 'success' : turn.status
  const ended = status ?? (isRunning ? 'running' : isLast ? 'success' : before)
  return {
    turnId,
    set: {
      prompt: read.prompt,
      responseContent: read.responseContent,
      status: ended,
      error: null,
      ...(isAsked ? {} : { startedAt: now }),
      endedAt: ended === 'running' ? null : now,
    },
    setMetadata: { ...read.metadata, ...(mark === undefined ? {} : marked(mark)) },
    unsetMetadata: mark === undefined && markOf(turn) !== null ? [FORMAT] : [],
    removeToolCalls: [...oldCalls.keys()].filter(callId => !callIds.has(callId)),
    removeItems: turn.items.map(({ itemId }) => itemId).filter(itemId => !ids.has(itemId)),
    putToolCalls: calls.filter(call => !lateIds.has(call.callId) && !isSameCall(call, oldCalls.get(call.callId))),
    putItems: items
      .filter(({ itemId, value }) => oldValues.get(itemId) !== canonicalJson(value))
      .map(({ itemId, value }) => ({ itemId, format: FORMAT, value })),
  }
}

/** Whether nothing has to be written. What others have noted of the call stays. */
function isSameCall(call: ToolCallRecord, old: ToolCallRecord | undefined): boolean {
  return old !== undefined && begunCall(old) === null && canonicalJson(toldBy(call)) === canonicalJson(toldBy(old))
}

function toldBy({ toolName, arguments: input, result, status, error }: ToolCallRecord): JsonValue {
  return [toolName, input, result, status, error]
}

function readTurn(turnId: string, messages: readonly Message[]): TurnRecord {
  const [first, ...others] = turnsOf(messages, turnId)
  if (first === undefined) throw new Error('a turn has a message')
  // Only a turn of others can have messages of several.
  return { ...first, toolCalls: [first, ...others].flatMap(({ toolCalls }) => toolCalls) }
}
