import { checkMembers } from '../basics/arguments.js'
import { isTurnstoreError, sessionExists, TurnstoreError } from '../basics/errors.js'
import { checkId } from '../basics/ids.js'
import type { JsonObject } from '../basics/json.js'
import { withOutcome } from '../basics/outcome.js'
import type { ScopeOptions } from '../basics/scope.js'
import type { SessionChange } from '../changes/change.js'
import { isEnded, type SessionRecord } from '../records/models.js'
import type { RecordFactory } from '../records/record-factory.js'
import type { SessionStore } from '../stores/session-store.js'
import { untyped } from './typed-metadata.js'

export interface StartSessionOptions<Metadata = JsonObject> {
  /** Default: the manager's workspace, or none. */
  workspaceId?: string | null
  /** The agent that starts the session. */
  agentId?: string | null
  /** Default: a random id. */
  sessionId?: string
  metadata?: Partial<Metadata>
  /**
   * What to do if the id is in use: `fail` (the default), `resume` the stored session, or `replace` it. A session that
   * is resumed is no longer ended; `metadata` is merged over its own, and `agentId` is set if it is given.
   */
  ifExists?: 'fail' | 'resume' | 'replace'
}

/** The checked options of a start. */
interface Start {
  readonly session: SessionRecord
  /** What a session that is resumed takes over. */
  readonly news: Pick<SessionChange, 'agentId' | 'setMetadata'>
  readonly scope: ScopeOptions
  readonly ifExists: 'fail' | 'resume' | 'replace'
}

/** @throws `INVALID_ARGUMENT`, `INVALID_ID`, `INVALID_RECORD` */
export function readStart(
  options: StartSessionOptions<object>,
  factory: RecordFactory,
  scopeOf: (options: ScopeOptions) => ScopeOptions,
): Start {
  checkMembers(options, 'options', ['workspaceId', 'agentId', 'sessionId', 'metadata', 'ifExists'])
  const { agentId = null, sessionId, metadata = {}, ifExists = 'fail' } = options
  if (!['fail', 'resume', 'replace'].includes(ifExists)) {
    throw new TurnstoreError('INVALID_ARGUMENT', "options.ifExists must be 'fail', 'resume' or 'replace'")
  }
  if (agentId !== null) checkId(agentId, 'options.agentId')
  const scope = scopeOf(options)
  const session = factory.session({
    ...(sessionId === undefined ? {} : { sessionId }),
    workspaceId: scope.workspaceId ?? null,
    agentId,
    metadata: untyped(metadata),
  })
  const news = { ...(options.agentId === undefined ? {} : { agentId }), setMetadata: session.metadata }
  return { session, news, scope, ifExists }
}

/** What `SessionManager.startSession` does. */
export async function start(
  store: SessionStore,
  factory: RecordFactory,
  { session, news, scope, ifExists }: Start,
): Promise<SessionRecord> {
  if (ifExists === 'replace') return { ...session, revision: await store.saveSession(session) }
  for (;;) {
    if (ifExists === 'resume') {
      const stored = await resume(store, session.sessionId, { ...news, updatedAt: factory.now() }, scope)
      if (stored !== null) return stored
    }
    try {
      return { ...session, revision: await store.saveSession(session, { ifRevision: 0 }) }
    } catch (error) {
      if (!isTurnstoreError(error, 'REVISION_CONFLICT')) throw error
      if (ifExists === 'fail') throw sessionExists(session.sessionId)
      // Another caller created the session after the load. Resume it.
    }
  }
}

/** Null if the session is not there. */
async function resume(
  store: SessionStore,
  sessionId: string,
  change: SessionChange,
  scope: ScopeOptions,
): Promise<SessionRecord | null> {
  const stored = await withOutcome('not-stored', () => store.loadSession(sessionId, scope))
  if (stored === null) return null
  try {
    // An application's own `ended` stays. A change that alters nothing writes nothing.
    const unsetMetadata = isEnded(stored) ? ['ended'] : []
    await store.changeSession(sessionId, { ...change, unsetMetadata }, scope)
  } catch (error) {
    if (isTurnstoreError(error, 'SESSION_NOT_FOUND')) return null
    throw error
  }
  return withOutcome('unknown', () => store.loadSession(sessionId, scope))
}
