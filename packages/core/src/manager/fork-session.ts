import { checkMembers, wholeNumber } from '../basics/arguments.js'
import { isTurnstoreError, sessionExists, sessionNotFound } from '../basics/errors.js'
import type { JsonObject } from '../basics/json.js'
import { withOutcome } from '../basics/outcome.js'
import type { ScopeOptions } from '../basics/scope.js'
import { applyCheckedChange } from '../changes/apply-change.js'
import { readChange, type SessionChange } from '../changes/change.js'
import { hardLimits } from '../records/limits.js'
import type { SessionRecord } from '../records/models.js'
import type { RecordFactory } from '../records/record-factory.js'
import { readMetadataInput } from '../records/record-input.js'
import type { SessionStore } from '../stores/session-store.js'

export interface ForkOptions<Metadata = JsonObject> {
  /** How many turns to copy; default all. */
  turns?: number
  sessionId?: string
  /** Merged over the session's metadata. */
  metadata?: Partial<Metadata>
}

/** The checked options of a fork. */
interface Forking extends ForkOptions {
  readonly metadata: JsonObject
}

/** Copies the options, because the caller may modify them while the session is loaded. @throws `INVALID_ARGUMENT`, `INVALID_RECORD` */
export function readFork(options: ForkOptions<object>): Forking {
  checkMembers(options, 'options', ['turns', 'sessionId', 'metadata'])
  const { turns, metadata = {} } = options
  if (turns !== undefined) wholeNumber(turns, 'options.turns', 0)
  return { ...options, metadata: readMetadataInput(metadata, hardLimits, 'options.metadata') }
}

/** What `SessionManager.forkSession` does. */
export async function fork(
  store: SessionStore,
  factory: RecordFactory,
  parentSessionId: string,
  scope: ScopeOptions,
  { turns, metadata, sessionId = factory.newId() }: Forking,
): Promise<SessionRecord> {
  const stored = await withOutcome('not-stored', () => store.loadSession(parentSessionId, scope))
  if (stored === null) throw sessionNotFound(parentSessionId)
  const now = factory.now()
  const change: SessionChange = {
    ...(turns === undefined ? {} : { keepTurns: turns }),
    unsetMetadata: ['ended'],
    updatedAt: now,
  }
  const record = withOutcome('not-stored', () => {
    const { session } = applyCheckedChange(stored, readChange(change, hardLimits), undefined, hardLimits)
    return factory.session({
      ...session,
      sessionId,
      parentSessionId,
      createdAt: now,
      updatedAt: now,
      metadata: { ...session.metadata, ...metadata },
    })
  })
  try {
    return { ...record, revision: await store.saveSession(record, { ifRevision: 0 }) }
  } catch (error) {
    throw isTurnstoreError(error, 'REVISION_CONFLICT') ? sessionExists(sessionId) : error
  }
}
