import {
  type ChangeResult,
  isTurnstoreError,
  type JsonObject,
  type SessionChange,
  type SessionStore,
  type SessionSummary,
  type TurnRecord,
} from '@turnstore/core'
import { canonicalJson, retryConflicts } from '@turnstore/core/adapter'
import { answeredIn, calledIn, callerOf, entryIn } from '../entries/format.js'
import type { Folding } from '../entries/folding.js'
import { type NamedEntry, Numbering, otherId, renamed } from '../entries/numbering.js'
import { type Caller, callersIn,  planAppend, withoutCaller } from '../entries/plan-append.js'
import type { Place } from '../keys/place.js'
import { findNumbering, followed } from './find-numbering.js'

export interface LogOptions {
  readonly store: SessionStore
  readonly place: Place
  readonly agentId: string | null
  readonly folding: Folding
}

/** What is known of a session that exists. */
type View = Pick<SessionSummary, 'revision' | 'updatedAt' | 'metadata'>

/** How many entries are read to find the one that made a call. */
const FURTHEST = 16

const NONE: ReadonlySet<string> = new Set()

/**
 * The entries of one transcript in the store. It keeps what it knows of the session, so that an append is one write,
 * however long the session is. Others may write to the session at the same time.
 */
export class SessionLog {
  readonly #options: LogOptions
  /** Null: there is no session. Undefined: to be read. */
  #view: View | null | undefined
  /** Undefined: to be found out. */
  #numbering: Numbering | undefined
  readonly #open = new Map<string, Caller>()

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** The turns, or null if there is no session. What this log appends from now on follows them. */
  async load(): Promise<TurnRecord[] | null> {
    const { store, place } = this.#options
    const page = await store.readTurns(place.id, {}, { workspaceId: place.workspaceId })
    this.#view = undefined
    this.#numbering = undefined
    this.#open.clear()
    if (page === null) return null
    this.#numbering = followed(page.turns)
    for (const turn of page.turns) this.#expect(turn)
    return page.turns
  }

  /** Appends what is not stored yet. */
  async append(entries: readonly JsonObject[]): Promise<void> {
    try {
      await this.#append(entries)
    } catch (error) {
      if (!isTurnstoreError(error) || error.outcome !== 'not-stored') this.#numbering?.doubt()
      this.#view = undefined
      throw error
    }
  }

  async #append(entries: readonly JsonObject[]): Promise<void> {
    if (this.#view === undefined) await this.#look()
    const { store, place } = this.#options
    const numbering =
      this.#view === null ? new Numbering() : await findNumbering(store, place, entries, this.#numbering)
    this.#numbering = numbering
    const batch = numbering.name(entries)
    const written = await this.#store(batch)
    const { deduplicated } = written
    const others = batch.filter(each => numbering.isOthers(each, deduplicated))
    numbering.advance(batch, deduplicated)
    await this.#correct(batch, written)
    await this.#storeAgain(others, numbering)
  }

  /** Another writer has stored equal entries at the same places. These are new all the same. */
  async #storeAgain(entries: readonly NamedEntry[], numbering: Numbering): Promise<void> {
    for (let others = entries; others.length > 0; ) {
      const again = others.map(renamed)
      const { deduplicated } = await this.#store(again)
      numbering.advance(again, NONE)
      others = again.filter(({ turnId }) => deduplicated.has(turnId))
    }
  }

  async #store(batch: readonly NamedEntry[]): Promise<Written> {
    const stored = new Map<string, TurnRecord>()
    let left = batch
    return this.#retry(async () => {
      try {
        return await this.#write(left, stored)
      } catch (error) {
        if (!isTurnstoreError(error, 'TURN_ID_CONFLICT')) throw error
        // An entry has the uuid of another, or its turn has gone on. Look at each.
        left = await this.#resolved(left, stored)
        return this.#write(left, stored)
      }
    })
  }

  async #write(batch: readonly NamedEntry[], stored: ReadonlyMap<string, TurnRecord>): Promise<Written> {
    if (this.#view === undefined) await this.#look()
    for (const entry of withoutCaller(batch, this.#open)) await this.#findCaller(entry, batch)
    const { agentId, place } = this.#options
    const { metadata = place.metadata, updatedAt = '' } = this.#view ?? {}
    const { appendTurns, updateTurns, opened, answered } = planAppend(batch, { agentId, open: this.#open, stored })
    const now = timeAfter(updatedAt)
    const changed = this.#fold(metadata, batch, now)
    const { deduplicated } = await this.#change({ appendTurns, updateTurns, updatedAt: now }, changed)
    for (const callId of answered) this.#open.delete(callId)
    for (const [callId, caller] of opened) this.#open.set(callId, caller)
    return { deduplicated: new Set([...stored.keys(), ...deduplicated]), metadata, changed }
  }

  /** @param changed the members of the metadata that change */
  async #change(change: SessionChange & { updatedAt: string }, changed: JsonObject): Promise<ChangeResult> {
    const { store, place, agentId } = this.#options
    const { id, workspaceId, parentSessionId } = place
    const view = this.#view
    this.#view = undefined
    if (view === null || view === undefined) {
      const metadata = { ...place.metadata, ...changed }
      const createIfMissing = { workspaceId, parentSessionId, agentId, metadata }
      const result = await store.changeSession(id, change, { createIfMissing })
      const { revision } = result
      // If another writer was faster, the session has the metadata of that.
      if (result.created) this.#view = { revision, updatedAt: change.updatedAt, metadata }
      return result
    }
    const isSame = Object.keys(changed).length === 0
    const condition = isSame ? { workspaceId } : { workspaceId, ifRevision: view.revision }
    const result = await store.changeSession(id, isSame ? change : { ...change, setMetadata: changed }, condition)
    const { revision } = result
    // At a later revision, the metadata may be another's.
    const isAlone = revision <= view.revision + 1
    if (isAlone) this.#view = { revision, updatedAt: change.updatedAt, metadata: { ...view.metadata, ...changed } }
    return result
  }

  /**
   * Takes back what entries of a replay have changed in the metadata, or adds what is missing there since another writer
   * created the session.
   */
  async #correct(batch: readonly NamedEntry[], { deduplicated, metadata, changed }: Written): Promise<void> {
    const isReplay = deduplicated.size > 0 && Object.keys(changed).length > 0
    const isMissing = this.#view === undefined && Object.keys(changed).length > 0
    if (!isReplay && !isMissing) return
    const added = batch.filter(({ turnId }) => !deduplicated.has(turnId))
    const { store, place } = this.#options
    const { id, workspaceId } = place
    await this.#retry(async () => {
      if (this.#view === undefined) await this.#look()
      const view = this.#view
      if (view === null || view === undefined) return
      this.#view = undefined
      const before = isMissing ? view.metadata : metadata
      const after = { ...before, ...this.#fold(before, added, view.updatedAt) }
      const wanted = Object.keys(changed).map(name => [name, after[name]] as const)
      const setMetadata = Object.fromEntries(wanted.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
      const unsetMetadata = wanted.flatMap(([name, value]) => (value === undefined ? [name] : []))
      const change = { setMetadata, unsetMetadata, updatedAt: view.updatedAt }
      const { revision } = await store.changeSession(id, change, { workspaceId, ifRevision: view.revision })
      const kept = Object.entries(view.metadata).filter(([name]) => !unsetMetadata.includes(name))
      this.#view = { ...view, revision, metadata: { ...Object.fromEntries(kept), ...setMetadata } }
    })
  }

  #fold(metadata: JsonObject, batch: readonly NamedEntry[], at: string): JsonObject {
    const { folding, place } = this.#options
    return folding.fold(metadata, place.key, batch.map(({ entry }) => entry), at)
  }

  /** Most entries name the one that made the call. In older ones it is among the few before. */
  async #findCaller(entry: JsonObject, batch: readonly NamedEntry[]): Promise<void> {
    const wanted = new Set(answeredIn(entry))
    let before = callerOf(entry)
    for (let step = 0; before !== null && wanted.size > 0 && step < FURTHEST; step++) {
      const id = before
      const turn = batch.some(({ turnId }) => turnId === id) ? null : await this.#readTurn(id)
      const found = turn === null ? batch.find(({ turnId }) => turnId === id)?.entry : entryIn(turn)
      this.#expect(turn)
      for (const callId of found ? calledIn(found) : []) wanted.delete(callId)
      before = found ? callerOf(found) : null
    }
  }

  #expect(turn: TurnRecord | null): void {
    if (turn === null) return
    for (const [callId, caller] of callersIn(turn)) this.#open.set(callId, caller)
  }

  /** Leaves out what is stored, and gives other ids to entries whose ids are taken. */
  async #resolved(batch: readonly NamedEntry[], stored: Map<string, TurnRecord>): Promise<NamedEntry[]> {
    const resolved: NamedEntry[] = []
    for (const each of batch) {
      let { turnId } = each
      let turn = await this.#readTurn(turnId)
      if (turn !== null && !holds(turn, each.entry)) {
        turnId = otherId(each.entry)
        turn = await this.#readTurn(turnId)
      }
      if (turn !== null) stored.set(turnId, turn)
      resolved.push({ ...each, turnId })
    }
    return resolved
  }

  async #readTurn(turnId: string): Promise<TurnRecord | null> {
    const { store, place } = this.#options
    const page = await store.readTurns(place.id, { turnId }, { workspaceId: place.workspaceId })
    return page?.turns[0] ?? null
  }

  async #look(): Promise<void> {
    const { store, place } = this.#options
    this.#view = await store.loadSummary(place.id, { workspaceId: place.workspaceId })
    if (this.#view === null) this.#open.clear()
  }

  async #retry<T>(work: () => Promise<T>): Promise<T> {
    const { id } = this.#options.place
    const attempt = async (): Promise<T> => {
      try {
        return await work()
      } catch (error) {
        this.#view = undefined
        // The turns of open calls are gone.
        if (isTurnstoreError(error, 'TURN_NOT_FOUND')) this.#open.clear()
        throw error
      }
    }
    return retryConflicts(id, attempt, ['REVISION_CONFLICT', 'SESSION_NOT_FOUND', 'TURN_NOT_FOUND'])
  }
}

interface Written {
  /** The ids of what was there already. */
  readonly deduplicated: ReadonlySet<string>
  /** As it was before. */
  readonly metadata: JsonObject
  /** What the entries changed in it. */
  readonly changed: JsonObject
}

function holds(turn: TurnRecord, entry: JsonObject): boolean {
  const stored = entryIn(turn)
  return stored !== null && canonicalJson(stored) === canonicalJson(entry)
}

/** Now, but never before the session's last time: the SDK compares the time of a summary with that of its session. */
function timeAfter(updatedAt: string): string {
  return new Date(Math.max(Date.now(), Date.parse(updatedAt) || 0)).toISOString()
}
