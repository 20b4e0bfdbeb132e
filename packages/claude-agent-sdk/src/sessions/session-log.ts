import { isTurnstoreError, type JsonObject, type SessionStore, type TurnRecord } from '@turnstore/core'
import { retryConflicts } from '@turnstore/core/adapter'
import type { Folding } from '../entries/folding.js'
import { entriesOf } from '../entries/format.js'
import { EntryIds, nameEntries, type NamedEntry, placeOf, type Position, positionAfter } from '../entries/numbering.js'
import { type OpenTurn, planAppend } from '../entries/plan-append.js'
import type { Place } from '../keys/place.js'
import { KnownSession } from './known-session.js'

export interface LogOptions {
  readonly store: SessionStore
  readonly place: Place
  readonly agentId: string | null
  readonly folding: Folding
}

/**
 * The entries of one transcript in the store. It keeps what it knows of the session, so that an append is one write.
 * Each write depends on the revision: if another writer was faster, the end of the session is read anew.
 */
export class SessionLog {
  readonly #options: LogOptions
  /** Null: there is no session. Undefined: to be read. */
  #known: KnownSession | null | undefined
  /** Whether another writer may have changed what is known. */
  #isStale = false
  /** Where this writer is. Undefined if it has neither loaded nor appended anything. */
  #position: Position | undefined

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** The turns, or null if there is no session. What this log appends from now on follows them. */
  async load(): Promise<TurnRecord[] | null> {
    const session = await this.#read()
    this.#position = this.#known?.end()
    return session
  }

  /** Appends what is not stored yet. */
  async append(batch: readonly JsonObject[]): Promise<void> {
    try {
      await this.#retry(async () => this.#append(batch))
    } catch (error) {
      const isNotStored = isTurnstoreError(error) && error.outcome === 'not-stored'
      // The next call may repeat this one.
      if (!isNotStored && this.#position !== undefined) this.#position = { ...this.#position, isReplay: true }
      this.#known = undefined
      throw error
    }
  }

  async #append(batch: readonly JsonObject[]): Promise<void> {
    await this.#refresh()
    const known = this.#known ?? null
    const position =
      known === null ? positionAfter('', false) : placeOf(batch, known.ids, this.#position, () => known.end())
    const naming = nameEntries(batch, known?.ids ?? new EntryIds(), position)
    if (naming.added.length > 0) await this.#write(naming.added, known)
    this.#position = naming.position()
  }

  async #write(added: readonly NamedEntry[], known: KnownSession | null): Promise<void> {
    const open = known?.open ?? null
    try {
      await this.#writeTo(open, added, known)
    } catch (error) {
      // The turn may be as large as a turn may be. Then what follows is a turn of its own.
      if (open === null || !isTurnstoreError(error, 'INVALID_RECORD')) throw error
      await this.#writeTo(null, added, known)
    }
  }

  async #writeTo(open: OpenTurn | null, added: readonly NamedEntry[], known: KnownSession | null): Promise<void> {
    const { store, place, agentId, folding } = this.#options
    const { id, workspaceId, parentSessionId } = place
    const plan = planAppend(added, open, known?.calls ?? new Map(), agentId)
    const entries = added.map(({ entry }) => entry)
    const updatedAt = timeAfter(known?.updatedAt ?? '')
    const metadata = known?.metadata ?? {}
    const isPartial = known !== null && folding.needsAll(metadata, place.key, known.updatedAt)
    const changed = folding.fold(metadata, place.key, entries, updatedAt, isPartial ? await this.#entries() : null)
    if (known === null) {
      const created = { ...place.metadata, ...changed }
      const session = {
        sessionId: id,
        workspaceId,
        parentSessionId,
        agentId,
        metadata: created,
        updatedAt,
        createdAt: updatedAt,
      }
      const revision = await store.saveSession({ ...session, turns: plan.appendTurns }, { ifRevision: 0 })
      this.#known = new KnownSession({ revision, updatedAt, metadata: created, turns: [] })
    } else {
      const updateTurns = [...(open === null ? known.ending(updatedAt) : []), ...plan.updateTurns]
      const change = { updateTurns, appendTurns: plan.appendTurns, setMetadata: changed, updatedAt, reopen: true }
      known.revision = (await store.changeSession(id, change, { workspaceId, ifRevision: known.revision })).revision
      known.updatedAt = updatedAt
      known.metadata = { ...known.metadata, ...changed }
    }
    this.#known?.add(plan, added)
  }

  /** Makes sure that the session is known as it is, as far as anyone can tell. */
  async #refresh(): Promise<void> {
    const known = this.#known
    if (known === undefined || (known === null && this.#isStale)) await this.#read()
    else if (known !== null && this.#isStale) {
      const { store, place } = this.#options
      const scope = { workspaceId: place.workspaceId }
      const summary = await store.loadSummary(place.id, scope)
      const page = await store.readTurns(place.id, { from: known.lastIndex }, scope)
      const isWhole = summary !== null && page !== null && known.follow(summary, page)
      if (!isWhole) await this.#read()
    }
    this.#isStale = false
  }

  /** All entries that are stored. */
  async #entries(): Promise<JsonObject[]> {
    const { store, place } = this.#options
    const session = await store.loadSession(place.id, { workspaceId: place.workspaceId })
    return entriesOf(session?.turns ?? [], place.key.sessionId)
  }

  async #read(): Promise<TurnRecord[] | null> {
    const { store, place } = this.#options
    const session = await store.loadSession(place.id, { workspaceId: place.workspaceId })
    this.#known = session === null ? null : new KnownSession(session)
    return session?.turns ?? null
  }

  async #retry(work: () => Promise<void>): Promise<void> {
    const attempt = async (): Promise<void> => {
      try {
        await work()
      } catch (error) {
        this.#isStale = true
        if (!isTurnstoreError(error, 'REVISION_CONFLICT')) this.#known = undefined
        throw error
      }
    }
    const conflicts = ['REVISION_CONFLICT', 'SESSION_NOT_FOUND', 'TURN_NOT_FOUND'] as const
    await retryConflicts(this.#options.place.id, attempt, conflicts)
  }
}

/** Now, but never before the session's last time: the SDK compares the time of a summary with that of its session. */
function timeAfter(updatedAt: string): string {
  return new Date(Math.max(Date.now(), Date.parse(updatedAt) || 0)).toISOString()
}
