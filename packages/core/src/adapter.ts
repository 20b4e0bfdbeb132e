/**
 * For authors of stores: the base class with its hooks, and what a hook needs to do its work.
 * `docs/writing-an-adapter.md` goes through it along an example.
 */
export { applyNormalChange, applyPlan, resultOf, viewOf } from './apply-change.js'
export { type BaseStoreOptions, BaseSessionStore, checkStoreOptions, damageOf, type Listed, type Loaded, nextRevision } from './base-session-store.js'
export type { NormalChange, NormalTurnUpdate } from './change.js'
export { cloneSession, cloneSummary, cloneTransition, cloneTurn } from './clone.js'
export { revisionConflict, safeCause, sessionExists, sessionNotFound, withDetails } from './errors.js'
export { checkId, isValidId } from './ids.js'
export { isJsonObject, isJsonValue } from './json.js'
export { summaryOf } from './models.js'
export { type Condition, inScope, type Scope } from './options.js'
export { type ChangePlan, isDropped, planChange, type SessionView, updateTurn } from './plan-change.js'
export { comparePositions, cursorBehind, matches, type NormalQuery, pageOfSummaries, type Position, positionOf } from './query.js'
export { locateJsonError, parseJson } from './parse-json.js'
export { readSessionInput, readTurnPatch } from './record-input.js'
export { decodeToolCall, decodeTransition, decodeTurn, encodeSession, encodeToolCall, encodeTransition, encodeTurn } from './wire.js'
export { isRetryOfTurn, sameTransition, sameTurn } from './same-record.js'
export { compareUtf8, quote, utf8Length } from './text.js'
export { laterTime, timeKey } from './time.js'
export { type NormalTurnRange, pageOf, resolveTurnRange } from './turn-range.js'
