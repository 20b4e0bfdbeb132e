import {
  type AgentTransitionRecord,
  defaultLimits,
  type JsonObject,
  type JsonValue,
  type TurnRecord,
  TurnstoreError,
} from '@turnstore/core'
import {
  type ChangePlan,
  decodeToolCall,
  decodeTransition,
  decodeTurn,
  encodeToolCall,
  encodeTransition,
  encodeTurn,
  isJsonValue,
  type CheckedChange,
  type CheckedTurnUpdate,
  readTurnPatch,
} from '@turnstore/core/adapter'

/** One change in the journal. It holds what was decided, so that replaying it decides nothing. */
export interface Entry {
  readonly updatedAt: string
  readonly appendTurns: readonly TurnRecord[]
  readonly updateTurns: readonly CheckedTurnUpdate[]
  readonly appendAgentTransitions: readonly AgentTransitionRecord[]
  readonly setMetadata: JsonObject
  readonly unsetMetadata: readonly string[]
  readonly agentId: string | null | undefined
}

/** The first record of a journal: the session that it continues, and when that was created. */
export interface JournalHeader {
  readonly sessionId: string
  readonly createdAt: string
  /** Repeated here because the reference drops it when it rewrites the document. */
  readonly parentSessionId: string | null
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
  const { appendTurns, updateTurns, appendAgentTransitions, setMetadata, unsetMetadata, agentId } = entry
  return JSON.stringify({
    updated_at: entry.updatedAt,
    ...(appendTurns.length > 0 && { append_turns: appendTurns.map(encodeTurn) }),
    ...(updateTurns.length > 0 && { update_turns: updateTurns.map(encodeUpdate) }),
    ...(appendAgentTransitions.length > 0 && {
      append_agent_transitions: appendAgentTransitions.map(encodeTransition),
    }),
    ...(Object.keys(setMetadata).length > 0 && { set_metadata: setMetadata }),
    ...(unsetMetadata.length > 0 && { unset_metadata: [...unsetMetadata] }),
    ...(agentId !== undefined && { agent_id: agentId }),
  })
}

/** `set` uses the TypeScript names of the members: in the wire format, null would mean missing. */
function encodeUpdate({ turnId, set, putToolCalls }: CheckedTurnUpdate): JsonObject {
  return { turn_id: turnId, set: { ...set }, put_tool_calls: putToolCalls.map(encodeToolCall) }
}

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
    appendTurns: asList(record.append_turns).map(turn => decodeTurn(turn)),
    updateTurns: asList(record.update_turns).map(decodeUpdate),
    appendAgentTransitions: asList(record.append_agent_transitions).map(transition => decodeTransition(transition)),
    setMetadata: record.set_metadata === undefined ? {} : asObject(record.set_metadata),
    unsetMetadata: asList(record.unset_metadata).map(asText),
    agentId: agentId === undefined || agentId === null ? agentId : asText(agentId),
  }
}

function decodeUpdate(value: JsonValue): CheckedTurnUpdate {
  const update = asObject(value)
  return {
    turnId: asText(update.turn_id),
    set: readTurnPatch(update.set ?? {}, UNLIMITED, 'set'),
    putToolCalls: asList(update.put_tool_calls).map(call => decodeToolCall(call)),
  }
}

/** A stored change stays valid when the limits are lowered. */
const UNLIMITED = { ...defaultLimits, turnBytes: Number.MAX_SAFE_INTEGER, metadataBytes: Number.MAX_SAFE_INTEGER }

function asObject(value: JsonValue | undefined): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
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

/** The entry of a planned change. */
export function entryOf(plan: ChangePlan, change: CheckedChange): Entry {
  const hasMetadata = plan.metadata !== undefined
  return {
    updatedAt: plan.updatedAt,
    appendTurns: plan.appendTurns,
    updateTurns: plan.replaceTurns.map(({ update }) => update),
    appendAgentTransitions: plan.appendAgentTransitions,
    setMetadata: hasMetadata ? change.setMetadata : {},
    unsetMetadata: hasMetadata ? change.unsetMetadata : [],
    agentId: plan.agentId,
  }
}
