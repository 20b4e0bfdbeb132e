import {
  isTurnstoreError,
  type JsonObject,
  type ScopeOptions,
  type SessionStore,
  type SessionSummary,
} from '@turnstore/core'
import { checkMembers, KeyedMutex, RecentMap, sessionExists, sessionNotFound } from '@turnstore/core/adapter'
import { entryJson, sdkEntry } from './entries/entry-json.js'
import { Folding, summaryIn } from './entries/folding.js'
import { entriesOf } from './entries/format.js'
import { keyOf, ofProject, ofSession, type Place, placeOf } from './keys/place.js'
import type {
  FoldSessionSummary,
  SessionKey,
  SessionStoreEntry,
  SessionSummaryEntry,
  SubagentsKey,
} from './keys/sdk-types.js'
import { SessionLog } from './sessions/session-log.js'

export interface TurnstoreSessionStoreOptions {
  /** Any store of Turnstore. It stays open: you close it. */
  store: SessionStore
  /** The function that the SDK exports. With it, the SDK lists sessions without loading them. */
  foldSessionSummary?: FoldSessionSummary
  /** The agent of new sessions and of their turns; default null. */
  agentId?: string | null
}

/** How many sessions are remembered, so that an append is one write. */
const REMEMBERED = 100

/**
 * Stores the sessions of the Claude Agent SDK in a store of Turnstore. Entries come back as the SDK gave them. Turns that
 * another SDK recorded come as entries of this one. The methods fail with the errors of the store.
 *
 * @example
 * const sessionStore = new TurnstoreSessionStore({ store, foldSessionSummary })
 * for await (const message of query({ prompt, options: { sessionStore, sessionStoreFlush: 'eager' } })) …
 */
export class TurnstoreSessionStore {
  readonly #store: SessionStore
  readonly #agentId: string | null
  readonly #folding: Folding
  readonly #logs = new RecentMap<SessionLog>(REMEMBERED)
  readonly #queue = new KeyedMutex()

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: TurnstoreSessionStoreOptions) {
    checkMembers(options, 'options', ['store', 'foldSessionSummary', 'agentId'])
    const { store, foldSessionSummary, agentId = null } = options
    this.#store = store
    this.#agentId = agentId
    this.#folding = new Folding(foldSessionSummary)
  }

  /**
   * Appends entries in order. Entries that are stored already are not doubled.
   * @throws `INVALID_RECORD`; `STORE_BUSY` if other writers kept changing the session
   */
  async append(key: SessionKey, entries: SessionStoreEntry[]): Promise<void> {
    const place = placeOf(key)
    const values = entries.map(entryJson)
    if (values.length === 0) return
    await this.#queue.run(place.id, async () => this.#log(place).append(values))
  }

  /** All entries in order, or null if there are none. */
  async load(key: SessionKey): Promise<SessionStoreEntry[] | null> {
    const place = placeOf(key)
    const turns = await this.#queue.run(place.id, async () => this.#log(place).load())
    const entries = entriesOf(turns ?? [], place.key.sessionId)
    return entries.length === 0 ? null : entries.map(sdkEntry)
  }

  /** The sessions of a project, without their subagents. */
  async listSessions(projectKey: string): Promise<{ sessionId: string; mtime: number }[]> {
    return (await this.#list(projectKey)).map(({ sessionId, summary }) => ({ sessionId, mtime: mtimeOf(summary) }))
  }

  /** What the SDK shows of the sessions of a project in a list. Sessions without it are left out: the SDK loads them. */
  async listSessionSummaries(projectKey: string): Promise<SessionSummaryEntry[]> {
    const listed = await this.#list(projectKey)
    return listed.flatMap(({ sessionId, summary }) => summaryIn(summary.metadata, sessionId) ?? [])
  }

  /** Deletes a session and its subagents, or with `subpath` that subagent. */
  async delete(key: SessionKey): Promise<void> {
    const place = placeOf(key)
    // The session last: a delete that was interrupted can be repeated.
    const subagents = key.subpath === undefined ? await this.#subagents(place) : []
    for (const each of [...subagents.map(placeOf), place]) {
      await this.#queue.run(each.id, async () => {
        this.#logs.delete(each.id)
        await this.#store.deleteSession(each.id, { workspaceId: each.workspaceId })
      })
    }
  }

  /** The subpaths of the subagents of a session. */
  async listSubkeys(key: SubagentsKey): Promise<string[]> {
    const { projectKey, sessionId } = key
    const subagents = await this.#subagents(placeOf({ projectKey, sessionId }))
    return subagents.flatMap(({ subpath }) => subpath ?? [])
  }

  /**
   * Copies a session that any SDK recorded, so that this SDK resumes it: pass the `sessionId` of the result as `resume`. The
   * new session names the other as its parent.
   * @param key the project, and the id of the new session; default a new UUID
   * @throws `SESSION_NOT_FOUND`; `SESSION_EXISTS` if the new session exists
   */
  async copySession(
    sessionId: string,
    key: Pick<SessionKey, 'projectKey'> & Partial<SubagentsKey>,
    options: ScopeOptions = {},
  ): Promise<SessionKey> {
    const place = placeOf({ projectKey: key.projectKey, sessionId: key.sessionId ?? crypto.randomUUID() })
    const source = await this.#store.loadSession(sessionId, options)
    if (source === null) throw sessionNotFound(sessionId)
    const { id, workspaceId } = place
    const { ended: _ended, ...others } = source.metadata
    const now = new Date().toISOString()
    const named: JsonObject = { ...others, ...place.metadata }
    const metadata = {
      ...named,
      ...this.#folding.fold(named, place.key, [], now, entriesOf(source.turns, place.key.sessionId)),
    }
    const copy = { ...source, sessionId: id, workspaceId, parentSessionId: sessionId, metadata }
    try {
      await this.#store.saveSession({ ...copy, createdAt: now, updatedAt: now }, { ifRevision: 0 })
    } catch (error) {
      throw isTurnstoreError(error, 'REVISION_CONFLICT') ? sessionExists(id) : error
    }
    return place.key
  }

  #log(place: Place): SessionLog {
    const known = this.#logs.get(place.id)
    if (known !== undefined) return known
    const log = new SessionLog({ store: this.#store, place, agentId: this.#agentId, folding: this.#folding })
    this.#logs.set(place.id, log)
    return log
  }

  async #list(projectKey: string): Promise<{ sessionId: string; summary: SessionSummary }[]> {
    const listed: { sessionId: string; summary: SessionSummary }[] = []
    for await (const summary of this.#store.sessions({ ...ofProject(projectKey), limit: 1_000 })) {
      const key = keyOf(summary)
      if (key !== null) listed.push({ sessionId: key.sessionId, summary })
    }
    return listed
  }

  async #subagents(place: Place): Promise<SessionKey[]> {
    const found: SessionKey[] = []
    for await (const summary of this.#store.sessions({ ...ofSession(place), limit: 1_000 })) {
      const key = keyOf(summary)
      if (key?.subpath !== undefined) found.push(key)
    }
    return found
  }
}

function mtimeOf({ updatedAt }: SessionSummary): number {
  return Date.parse(updatedAt) || 0
}
