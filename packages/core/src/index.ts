export { type AppliedChange, applyChange } from './changes/apply-change.js'
export type { ChangeResult, SessionChange, TimedChange, ToolCallPut, TurnUpdate } from './changes/change.js'
export type { ChangeOptions, NewSessionInput } from './changes/change-options.js'
export type { TurnPatch } from './records/models.js'
export {
  type AssistantMessage,
  type AudioPart,
  CHAT_FORMAT,
  type ChatMessage,
  type ChatToolCall,
  type FilePart,
  type ImagePart,
  NO_RESULT,
  type SystemMessage,
  type TextPart,
  type ToolMessage,
  type UserMessage,
  type UserPart,
} from './chat/chat-message.js'
export { messagesFromTurns, type MessagesOptions } from './chat/messages-from-turns.js'
export {
  type ErrorCode,
  type ErrorDetails,
  errorCodes,
  isTurnstoreError,
  TurnstoreError,
  type WriteOutcome,
} from './basics/errors.js'
export { createAgentTransition, createSession, createToolCall, createTurn } from './records/factories.js'
export type { JsonObject, JsonValue } from './basics/json.js'
export { defaultLimits, type Limits } from './records/limits.js'
export {
  type AgentTransitionInput,
  type AgentTransitionRecord,
  isEnded,
  type LastTurn,
  SCHEMA_VERSION,
  type SessionInput,
  type SessionRecord,
  type SessionSummary,
  type ToolCallInput,
  type PartCounts,
  type PartList,
  type Parts,
  type ToolCallRecord,
  type ToolCallStatus,
  type TurnHead,
  type TurnInput,
  type TurnItem,
  type TurnItemInput,
  type TurnRecord,
  type TurnStatus,
} from './records/models.js'
export { type Merge, mergeRecords } from './merge/merge-records.js'
export { mergeSession, type MergeOptions, type MergeResult } from './merge/merge-session.js'
export type { StoreOperation } from './stores/observe-store.js'
export { bindStore } from './stores/bound-store.js'
export type { DeleteOptions, ReadOptions, ScopeOptions, WriteOptions } from './basics/scope.js'
export { printable, printableLine } from './basics/printable.js'
export type { DeleteQuery, DeleteSessionsOptions, PruneOptions } from './manager/delete-sessions.js'
export type { RepeatOptions } from './manager/repeatable.js'
export type { DamagedSession, SessionPage } from './queries/page.js'
export type { SessionQuery } from './queries/query.js'
export { decodeSession } from './records/decode-record.js'
export { encodeSession } from './records/encode-record.js'
export type { FactoryOptions } from './records/record-factory.js'
export { replaySession, type SessionReplay, type TimelineEntry } from './replay/replay.js'
export type { ForkOptions } from './manager/fork-session.js'
export type { RecordedMessages, RecordMessagesOptions } from './manager/message-recorder.js'
export {
  type RecordedTurn,
  SessionManager,
  type SessionManagerOptions,
  type SessionUpdate,
} from './manager/session-manager.js'
export type { SearchHit, SearchPage, SearchQuery } from './search/search-query.js'
export type { SearchField } from './search/turn-match.js'
export type { SessionState, WatchedSession, WatchOptions } from './watch/watch-options.js'
export type { StartSessionOptions } from './manager/start-session.js'
export type { Capabilities, SessionStore } from './stores/session-store.js'
export type { PartPage, PartRange } from './queries/part-range.js'
export type { TurnHeadPage, TurnHeadRecord, TurnPage, TurnRange } from './queries/turn-range.js'
export { type MessageProblem, turnsFromMessages, type TurnsFromMessagesOptions } from './chat/turns-from-messages.js'
