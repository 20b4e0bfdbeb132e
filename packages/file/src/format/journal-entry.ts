import {
  type AgentTransitionRecord,
  type JsonObject,
  type JsonValue,
  type ToolCallRecord,
  type TurnHead,
  type TurnItem,
  type TurnRecord,
  TurnstoreError,
} from '@turnstore/core'
import {
  type ChangePlan,
  type CheckedChange,
  decodeItem,
  decodeRemembered,
  decodeToolCall,
  decodeTransition,
  decodeTurn,
  encodeItem,
  encodeRemembered,
  encodeToolCall,
  encodeTransition,
  encodeTurn,
  encodeTurnWith,
  isJsonObject,
  isJsonValue,
  type RememberedChange,
} from '@turnstore/core/adapter'
import type { Span } from '../disk/read-file.js'
import { SMALL_TURN_BYTES, type TurnSpans } from './document-turn.js'

/*
 * In the payload of a record, each turn, head and part that is read on its own has a tab before it and one after it.
 * JSON allows them there, and a JSON string contains none. So each can be found in the bytes, and read later without the
 * rest of its record.
 */

/** One change. It holds what was decided, so that replaying it decides nothing. */
export interface Entry {
  readonly updatedAt: string
  readonly updateTurns: readonly TurnChange[]
  readonly appendTurns: readonly TurnRecord[]
  readonly appendAgentTransitions: readonly AgentTransitionRecord[]
  readonly setMetadata: JsonObject
  readonly unsetMetadata: readonly string[]
  readonly agentId: string | null | undefined
  readonly remember: NumberedChange | undefined
}

/** What happens to a turn. Parts are named by their ids, since their places are others in the next document. */
export interface TurnChange {
  readonly turnId: string
  /** The new head, if it changes. */
  readonly head: TurnHead | undefined
  readonly toolCalls: PartsChange<ToolCallRecord>
  readonly items: PartsChange<TurnItem>
}

export interface PartsChange<P> {
  /** Each removes the first part with this id. So the id of a part that old records have twice is there twice. */
  readonly remove: readonly string[]
  /** Each replaces the last part with its id, or is added. */
  readonly put: readonly P[]
}

/** The n-th change with a key in the life of the session, beginning at 1. */
export interface NumberedChange {
  readonly number: number
  readonly change: RememberedChange
}

/** The first record of a journal: the session that it continues, and when that was created. */
export interface JournalHeader {
  readonly sessionId: string
  readonly createdAt: string
  /** Repeated here because the reference drops it when it rewrites the document. */
  readonly parentSessionId: string | null
}

/** Whether it only remembers a change that altered nothing. Such a record has the revision of the one before it. */
export function altersNothing(entry: Entry): boolean {
  return (
    entry.updateTurns.length === 0 &&
    entry.appendTurns.length === 0 &&
    entry.appendAgentTransitions.length === 0 &&
    Object.keys(entry.setMetadata).length === 0 &&
    entry.unsetMetadata.length === 0 &&
    entry.agentId === undefined
  )
}

export function encodeHeader({ sessionId, createdAt, parentSessionId }: JournalHeader): string {
  return JSON.stringify({
    journal: 1,
    session_id: sessionId,
    created_at: createdAt,
    parent_session_id: parentSessionId,
  })
}

export function encodeEntry(entry: Entry): string {
  const { updateTurns, appendTurns, appendAgentTransitions, setMetadata, unsetMetadata, agentId, remember } = entry
  return object([
    member('updated_at', entry.updatedAt),
    updateTurns.length > 0 && `"update_turns":[${updateTurns.map(encodeTurnChange).join(',')}]`,
    appendTurns.length > 0 && `"append_turns":[${appendTurns.map(encodeNewTurn).join(',')}]`,
    appendAgentTransitions.length > 0 &&
      member('append_agent_transitions', appendAgentTransitions.map(encodeTransition)),
    Object.keys(setMetadata).length > 0 && member('set_metadata', setMetadata),
    unsetMetadata.length > 0 && member('unset_metadata', [...unsetMetadata]),
    agentId !== undefined && member('agent_id', agentId),
    remember && member('remember', { number: remember.number, ...encodeRemembered(remember.change) }),
  ])
}

function encodeTurnChange({ turnId, head, toolCalls, items }: TurnChange): string {
  return object([
    member('turn_id', turnId),
    head !== undefined && `"head":${marked(encodeHead(head))}`,
    toolCalls.remove.length > 0 && member('remove_tool_calls', [...toolCalls.remove]),
    items.remove.length > 0 && member('remove_items', [...items.remove]),
    toolCalls.put.length > 0 && `"put_tool_calls":[${toolCalls.put.map(markedCall).join(',')}]`,
    items.put.length > 0 && `"put_items":[${items.put.map(markedItem).join(',')}]`,
  ])
}

/** A large one in pieces. The parts are behind the head, so that the head is in one piece. */
function encodeNewTurn(turn: TurnRecord): string {
  const { toolCalls, items } = turn
  const whole = JSON.stringify(encodeTurn(turn))
  if (whole.length <= SMALL_TURN_BYTES || toolCalls.length + items.length === 0) return `\t${whole}\t`
  const text = object([
    `${HEAD_OPEN.slice(1)}${marked(encodeHead(turn))}`,
    toolCalls.length > 0 && `"tool_calls":[${toolCalls.map(markedCall).join(',')}]`,
    items.length > 0 && `"items":[${items.map(markedItem).join(',')}]`,
  ])
  return `\t${text}\t`
}

const HEAD_OPEN = '{"head":'

/** A head, as a turn without parts. */
function encodeHead(head: TurnHead): JsonObject {
  return encodeTurnWith(head, [], [])
}

function object(members: readonly (string | false | undefined)[]): string {
  return `{${members.filter(Boolean).join(',')}}`
}

function member(name: string, value: JsonValue): string {
  return `"${name}":${JSON.stringify(value)}`
}

function marked(value: JsonObject): string {
  return `\t${JSON.stringify(value)}\t`
}

const markedCall = (call: ToolCallRecord): string => marked(encodeToolCall(call))
const markedItem = (item: TurnItem): string => marked(encodeItem(item))

/** Where a turn that is appended is, or a head or part that is put. */
export interface EntrySpans {
  readonly updateTurns: readonly TurnSpans[]
  /** Without pieces, it is in one. */
  readonly appendTurns: readonly { readonly whole: Span; readonly pieces: TurnSpans | null }[]
}

/** Finds the turns, heads and parts of an entry in its payload. */
export function spansOf({ updateTurns, appendTurns }: Entry, payload: Buffer): EntrySpans {
  const marks = new Marks(payload)
  return {
    updateTurns: updateTurns.map(({ head, toolCalls, items }) => marks.pieces(head, toolCalls.put, items.put)),
    appendTurns: appendTurns.map(turn => {
      const start = marks.pass()
      const isInPieces = payload[start + HEAD_OPEN.length] === TAB
      const pieces = isInPieces ? marks.pieces(turn, turn.toolCalls, turn.items) : null
      return { pieces, whole: { offset: start, length: marks.pass() - 1 - start } }
    }),
  }
}

/** Goes from tab to tab. */
class Marks {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Goes behind the next tab, and returns where that is. */
  pass(): number {
    const tab = this.#bytes.indexOf(TAB, this.#at)
    if (tab === -1) throw new Error('not a record of a journal')
    this.#at = tab + 1
    return this.#at
  }

  /** What is between the next two tabs. */
  next(): Span {
    const offset = this.pass()
    return { offset, length: this.pass() - 1 - offset }
  }

  pieces(head: TurnHead | undefined, toolCalls: readonly unknown[], items: readonly unknown[]): TurnSpans {
    return {
      head: head === undefined ? [] : [this.next()],
      toolCalls: toolCalls.map(() => this.next()),
      items: items.map(() => this.next()),
    }
  }
}

const TAB = 0x09

/** @throws `SCHEMA_TOO_NEW`; Error if the text is no payload */
export function parsePayload(text: string): Entry | JournalHeader {
  const value: unknown = JSON.parse(text)
  const record = asObject(isJsonValue(value) ? value : undefined)
  if ('journal' in record) {
    if (record.journal !== 1) {
      throw new TurnstoreError(
        'SCHEMA_TOO_NEW',
        'A newer version of Turnstore wrote the journal of this session. Upgrade Turnstore to read it',
      )
    }
    const parent = record.parent_session_id
    return {
      sessionId: asText(record.session_id),
      createdAt: asText(record.created_at),
      parentSessionId: typeof parent === 'string' ? parent : null,
    }
  }
  const agentId = record.agent_id
  return {
    updatedAt: asText(record.updated_at),
    updateTurns: asList(record.update_turns).map(decodeTurnChange),
    appendTurns: asList(record.append_turns).map(decodeNewTurn),
    appendAgentTransitions: asList(record.append_agent_transitions).map(transition => decodeTransition(transition)),
    setMetadata: record.set_metadata === undefined ? {} : asObject(record.set_metadata),
    unsetMetadata: asList(record.unset_metadata).map(asText),
    agentId: agentId === undefined || agentId === null ? agentId : asText(agentId),
    remember: record.remember === undefined ? undefined : decodeNumbered(asObject(record.remember)),
  }
}

function decodeTurnChange(value: JsonValue): TurnChange {
  const change = asObject(value)
  return {
    turnId: asText(change.turn_id),
    head: change.head === undefined ? undefined : decodeHead(change.head),
    toolCalls: { remove: asList(change.remove_tool_calls).map(asText), put: calls(change.put_tool_calls) },
    items: { remove: asList(change.remove_items).map(asText), put: itemsOf(change.put_items) },
  }
}

/** A turn of `append_turns`. */
export function decodeNewTurn(value: unknown): TurnRecord {
  const turn = asObject(isJsonValue(value) ? value : undefined)
  if (turn.turn_id !== undefined) return decodeTurn(turn)
  return { ...decodeHead(turn.head), toolCalls: calls(turn.tool_calls), items: itemsOf(turn.items) }
}

function decodeHead(value: unknown): TurnHead {
  const { toolCalls: _calls, items: _items, ...head } = decodeTurn(value)
  return head
}

function calls(list: JsonValue | undefined): ToolCallRecord[] {
  return asList(list).map(call => decodeToolCall(call))
}

function itemsOf(list: JsonValue | undefined): TurnItem[] {
  return asList(list).map(item => decodeItem(item))
}

function decodeNumbered(value: JsonObject): NumberedChange {
  const { number } = value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new Error('not a record of a journal')
  return { number, change: decodeRemembered(value) }
}

function asObject(value: JsonValue | undefined): JsonObject {
  if (isJsonObject(value)) return value
  throw new Error('not a record of a journal')
}

function asText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value
  throw new Error('not a record of a journal')
}

function asList(value: JsonValue | undefined): JsonValue[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  throw new Error('not a record of a journal')
}

/**
 * The entry of a planned change.
 * @param updateTurns what the plan does to turns
 * @param number which keyed change it is, if it is one
 */
export function entryOf(
  plan: ChangePlan,
  change: CheckedChange,
  updateTurns: readonly TurnChange[],
  number: number,
): Entry {
  const hasMetadata = plan.metadata !== undefined
  const reopens = hasMetadata && change.reopen && plan.appendTurns.length > 0 && !Object.hasOwn(plan.metadata, 'ended')
  return {
    updatedAt: plan.updatedAt,
    updateTurns,
    appendTurns: plan.appendTurns,
    appendAgentTransitions: plan.appendAgentTransitions,
    setMetadata: hasMetadata ? change.setMetadata : {},
    unsetMetadata: hasMetadata ? (reopens ? [...change.unsetMetadata, 'ended'] : change.unsetMetadata) : [],
    agentId: plan.agentId,
    remember: plan.remember && { number, change: plan.remember },
  }
}
