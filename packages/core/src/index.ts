export { type AppliedChange, applyChange } from './apply-change.js'
export type { ChangeResult, SessionChange, TurnPatch, TurnUpdate } from './change.js'
export {
  type AssistantMessage,
  type ChatContent,
  type ChatMessage,
  type ChatToolCall,
  type ContentPart,
  messagesFromTurns,
  NO_RESULT,
  type SystemMessage,
  type ToolMessage,
  type UserMessage,
} from './chat-messages.js'
export { type ErrorCode, type ErrorDetails, errorCodes, isTurnstoreError, TurnstoreError, type WriteOutcome } from './errors.js'
export { createAgentTransition, createSession, createToolCall, createTurn } from './factories.js'
export type { JsonObject, JsonValue } from './json.js'
export { defaultLimits, type Limits } from './limits.js'
export {
  type AgentTransitionInput,
  type AgentTransitionRecord,
  isEnded,
  SCHEMA_VERSION,
  type SessionInput,
  type SessionRecord,
  type SessionSummary,
  type ToolCallInput,
  type ToolCallRecord,
  type TurnInput,
  type TurnRecord,
} from './models.js'
export type { DeleteOptions, ScopeOptions, WriteOptions } from './options.js'
export { printable, printableLine } from './printable.js'
export type { PruneOptions } from './prune.js'
export type { DamagedSession, SessionPage, SessionQuery } from './query.js'
export { decodeSession, encodeSession } from './wire.js'
export type { FactoryOptions } from './record-factory.js'
export { replaySession, type SessionReplay, type TimelineEntry } from './replay.js'
export {
  type ForkOptions,
  type RecordedTurn,
  SessionManager,
  type SessionManagerOptions,
  type StartSessionOptions,
} from './session-manager.js'
export type { Capabilities, SessionStore } from './store.js'
export type { TurnPage, TurnRange } from './turn-range.js'
export { type MessageProblem, turnsFromMessages, type TurnsFromMessagesOptions } from './turns-from-messages.js'
