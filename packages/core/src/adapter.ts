/**
 * The API for adapter authors: the base classes with their hooks, and the functions that hooks use.
 * `docs/writing-an-adapter.md` builds an adapter with it, step by step.
 */
export { applyPlan, viewOf } from './changes/apply-change.js'
export { headAfter, keptTransitions } from './changes/after-change.js'
export { Backoff } from './adapter-kit/backoff.js'
export { type Answers, type Lookups, lookupsOf, type TurnLookup, viewOfAnswers } from './adapter-kit/change-lookups.js'
export { type CommitPolicy, GroupCommit, type WaitingWrite } from './adapter-kit/group-commit.js'
export { IdPlaces } from './adapter-kit/id-places.js'
export { KeyedMutex } from './adapter-kit/keyed-mutex.js'
export { RecentMap } from './adapter-kit/recent-map.js'
export { retryConflicts } from './adapter-kit/retry-conflicts.js'
export {
  damaged,
  namingSession,
  ofSession,
  readStored,
  readStoredObject,
  readStoredRemembered,
  readStoredTransition,
  readStoredTurn,
  readStoredTurns,
} from './adapter-kit/stored-json.js'
export { TimeSlice } from './basics/time-slice.js'
export { CallIds } from './chat/call-ids.js'
export { INTERRUPTED_CALL } from './chat/chat-message.js'
export { callMessages, plainMessages } from './chat/exact-messages.js'
export {
  argumentsOf,
  type CallOutcome,
  type ChatContent,
  type ContentPart,
  type ReadCall,
  readMessage,
  type ReadMessage,
  type Tell,
  textOf,
} from './chat/read-message.js'
export { type MessageReader, turnsFromItems } from './chat/turns-from-messages.js'
export { DocumentSessionStore, type Loaded } from './stores/document-session-store.js'
export type { CheckedChange, CheckedTurnUpdate } from './changes/change.js'
export { cloneHead, clonePart, cloneSession, cloneSummary, cloneTransition, cloneTurn } from './records/clone.js'
export { revisionConflict, safeCause, sessionExists, sessionNotFound, withDetails } from './basics/errors.js'
export { isValidId } from './basics/ids.js'
export { cloneJsonObject, isJsonObject, isJsonValue } from './basics/json.js'
export { damageOf, isDamage, type Listed, pageOfListing } from './queries/page.js'
export { lastTurnOf, summaryOf } from './records/models.js'
export { checkMembers } from './basics/arguments.js'
export { withOutcome } from './basics/outcome.js'
export { type StoreOptions, checkStoreOptions, AbstractSessionStore } from './stores/abstract-session-store.js'
export { checkRevision, nextRevision } from './changes/next-revision.js'
export { type Condition, type Deletion, inScope, type Scope } from './basics/scope.js'
export type { ChangeCondition } from './changes/change-options.js'
export { type Creation, outOfReach, planCreation } from './changes/create-session.js'
export {
  checkSameChange,
  decodeRemembered,
  encodeRemembered,
  type RememberedChange,
  REMEMBERED_CHANGES,
} from './changes/remembered-change.js'
export { type ChangePlan, isDropped, planChange, resultOf, type SessionView } from './changes/decide-change.js'
export { comparePositions, type Position, positionOf } from './queries/position.js'
export { cursorAfter, pageOfSummaries } from './queries/page.js'
export { FillingPage } from './queries/filling-page.js'
export { matches } from './queries/filter.js'
export type { CheckedQuery } from './queries/query.js'
export { parseJson } from './records/parse-json.js'
export { readJsonObject, readTurnPatch } from './records/record-input.js'
export { decodeItem, decodeToolCall, decodeTransition, decodeTurn } from './records/decode-record.js'
export {
  encodeItem,
  encodeSession,
  encodeToolCall,
  encodeTransition,
  encodeTurn,
  encodeTurnHead,
  encodeTurnWith,
} from './records/encode-record.js'
export { isRetryOfTurn, sameTransition, sameTurn } from './records/same-record.js'
export { compareUtf8, quote, utf8Length } from './basics/text.js'
export { laterTime, timeKey } from './basics/time.js'
export { type CheckedPartRange, pageOfParts, resolvePartRange } from './queries/part-range.js'
export { type CheckedTurnRange, headOf, pageOf, resolveTurnRange } from './queries/turn-range.js'
export { applyTurnPlan, PartReplacement, type PartsPlan, PartWrite, type TurnPlan } from './changes/turn-draft.js'
export {
  isOtherCall,
  isRetryOfView,
  type Part,
  partJson,
  type StoredPart,
  storedPart,
  type TurnView,
  turnViewOf,
} from './changes/turn-view.js'
export { headBytes, partBytes, turnBytes } from './records/part-sizes.js'
export { idOfPart, partIdOf } from './records/part-ids.js'
export { ITEMS_KEY, KEYS_KEY } from './records/reserved-keys.js'
export { canonicalJson, digestOf } from './basics/digest.js'
export { mayMatch, type Terms } from './search/terms.js'
export type { ScannedTurns } from './search/search-sessions.js'
export type { Glimpse } from './watch/watch-options.js'
