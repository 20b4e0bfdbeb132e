import type { JsonObject, ToolCallRecord, TurnRecord, TurnStatus, TurnUpdate } from '@turnstore/core'
import { answer, answered, answeredIn, calling, FORMAT, isOpening, note, question, turnsOf } from './format.js'
import type { NamedEntry } from './numbering.js'

/** What has to be known of the last turn to add the next entries without reading it, whatever it holds. */
export interface OpenTurn {
  readonly turnId: string
  readonly status: TurnStatus
  readonly responseContent: string | null
  /** Nobody has said anything yet, so the first prompt is the turn's. */
  readonly isOpening: boolean
  readonly hasModel: boolean
}

/** A call that waits for its result. */
export interface OpenCall {
  readonly turnId: string
  readonly call: ToolCallRecord
}

export interface AppendPlan {
  readonly updateTurns: TurnUpdate[]
  readonly appendTurns: TurnRecord[]
  /** The last turn when this is stored. */
  readonly open: OpenTurn | null
  /** The calls of the entries that wait for their results. */
  readonly opened: OpenCall[]
  /** The ids of those that do no longer. */
  readonly closed: string[]
}

/**
 * An exchange is a turn: a prompt opens it, and what follows belongs to it, each entry as an item. So people see prompts,
 * calls with their results and responses, and what lists show of the last turn is the last exchange. A batch cannot be
 * the unit, since a replay comes in others.
 * @param open the last turn, if entries can be added to it
 * @param calls those that wait for their results, by id
 */
export function planAppend(
  entries: readonly NamedEntry[],
  open: OpenTurn | null,
  calls: ReadonlyMap<string, OpenCall>,
  agentId: string | null,
): AppendPlan {
  const results = answersTo(entries, calls)
  const own = [...results.keys()].filter(({ turnId }) => turnId === open?.turnId)
  const context = open === null ? [] : contextOf(open, own)
  const turns = turnsOf([...context, ...entries.map(({ entry }) => entry)])
  const updates = new Updates()
  const appendTurns: TurnRecord[] = []
  const opened: OpenCall[] = []
  let last = open
  let at = 0
  for (const [index, read] of turns.entries()) {
    const isOpen = open !== null && index === 0
    const added = entries.slice(at, (at += read.items.length - (isOpen ? context.length : 0)))
    const turnId = isOpen ? open.turnId : (added[0]?.id ?? '')
    const items = added.map(({ id, entry }) => ({ itemId: id, format: FORMAT, value: entry }))
    const made = isOpen && !open.isOpening ? read.toolCalls.slice(own.length) : read.toolCalls
    for (const call of made) if (call.status === 'running') opened.push({ turnId, call })
    const { model } = read.metadata
    if (isOpen) {
      const next = openAfter(open, read, added, index === turns.length - 1)
      last = next
      // A result of its call may come after the next prompt.
      if (added.length === 0 && own.length === 0 && next.status === open.status) continue
      updates.add(turnId, {
        set: {
          ...changesOf(open, next),
          ...(open.isOpening && read.prompt !== '' ? { prompt: read.prompt } : {}),
          ...endOf(open, next, added),
        },
        ...(model === undefined || open.hasModel ? {} : { setMetadata: { model } }),
        putItems: items,
        putToolCalls: read.toolCalls.map(call => ({ ...call, replace: true })),
      })
    } else {
      const metadata: JsonObject = model === undefined ? {} : { model }
      const endedAt = read.status === 'running' ? null : lastTime(added)
      appendTurns.push({ ...read, turnId, agentId, items, metadata, endedAt })
      const { status, responseContent } = read
      const values = added.map(({ entry }) => entry)
      last = { turnId, status, responseContent, isOpening: isOpening(values), hasModel: model !== undefined }
    }
  }
  for (const [waiting, entry] of results) {
    if (!own.includes(waiting)) updates.put(waiting.turnId, answered(waiting.call, entry))
  }
  const closed = [...results.keys()].map(({ call }) => call.callId)
  return { updateTurns: updates.list(), appendTurns, open: last, opened, closed }
}

/** The waiting calls that entries answer, each with the first that does. */
function answersTo(entries: readonly NamedEntry[], calls: ReadonlyMap<string, OpenCall>): Map<OpenCall, JsonObject> {
  const results = new Map<OpenCall, JsonObject>()
  for (const { entry } of entries) {
    for (const callId of answeredIn(entry)) {
      const waiting = calls.get(callId)
      if (waiting !== undefined && !results.has(waiting)) results.set(waiting, entry)
    }
  }
  return results
}

/** The last turn of a session. */
export function openTurnOf(turn: TurnRecord, entries: readonly JsonObject[]): OpenTurn {
  const { turnId, status, responseContent, metadata } = turn
  return { turnId, status, responseContent, isOpening: isOpening(entries), hasModel: 'model' in metadata }
}

/** Entries that bring a reader to where the turn stands, so that it reads the next ones as if it had read all. */
function contextOf(
  { isOpening: opening, status, responseContent }: OpenTurn,
  calls: readonly OpenCall[],
): JsonObject[] {
  if (opening) return [note]
  const isAnswered = status === 'cancelled' ? responseContent !== null : status !== 'running'
  return [question, ...calls.map(({ call }) => calling(call)), ...(isAnswered ? [answer] : [])]
}

function openAfter(open: OpenTurn, read: TurnRecord, added: readonly NamedEntry[], isLast: boolean): OpenTurn {
  const values = added.map(({ entry }) => entry)
  // The context has an empty answer where there was one.
  const isNew = read.responseContent !== null && read.responseContent !== ''
  return {
    turnId: open.turnId,
    // What was stopped stays so, whatever comes after.
    status: open.status === 'cancelled' || (isLast && added.length === 0) ? open.status : read.status,
    responseContent: isNew ? read.responseContent : (open.responseContent ?? read.responseContent),
    isOpening: open.isOpening && isOpening(values),
    hasModel: open.hasModel || read.metadata.model !== undefined,
  }
}

function changesOf(open: OpenTurn, next: OpenTurn): { status?: TurnStatus; responseContent?: string | null } {
  return {
    ...(open.status === next.status ? {} : { status: next.status }),
    ...(open.responseContent === next.responseContent ? {} : { responseContent: next.responseContent }),
  }
}

/** When it ended, if it has: with the last entry that has a time. */
function endOf(open: OpenTurn, next: OpenTurn, added: readonly NamedEntry[]): { endedAt?: string | null } {
  if (next.status === 'running') return open.status === 'running' ? {} : { endedAt: null }
  if (open.status === next.status && open.responseContent === next.responseContent) return {}
  const endedAt = lastTime(added)
  return endedAt === null ? {} : { endedAt }
}

function lastTime(entries: readonly NamedEntry[]): string | null {
  for (const { entry } of entries.toReversed()) {
    if (typeof entry.timestamp === 'string' && entry.timestamp !== '') return entry.timestamp
  }
  return null
}

/** The updates of turns, one for each. */
class Updates {
  readonly #updates = new Map<string, TurnUpdate>()

  add(turnId: string, update: Omit<TurnUpdate, 'turnId'>): void {
    this.#updates.set(turnId, { turnId, ...update })
  }

  put(turnId: string, call: ToolCallRecord): void {
    const known = this.#updates.get(turnId)
    const putToolCalls = [...(known?.putToolCalls ?? []), { ...call, replace: true }]
    this.#updates.set(turnId, { ...known, turnId, putToolCalls })
  }

  list(): TurnUpdate[] {
    return [...this.#updates.values()]
  }
}
