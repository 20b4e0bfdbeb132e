import type {
  Capabilities,
  ChangeResult,
  Limits,
  PartList,
  PartPage,
  SessionPage,
  SessionRecord,
  SessionSummary,
  TurnHeadPage,
  TurnPage,
} from '@turnstore/core'
import {
  type ChangeCondition,
  DocumentSessionStore,
  type Condition,
  type Deletion,
  inScope,
  type Loaded,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedQuery,
  type CheckedTurnRange,
  type ScannedTurns,
  type Scope,
  summaryOf,
  type Terms,
} from '@turnstore/core/adapter'
import { MemoryRows, type Row, type Rows } from './rows.ts'

/**
 * What a store does wrong: each member stands in the place of a step of the right store, and gets that step as
 * `next`, with the same arguments unless it hands in others.
 */
export interface Faults {
  keyOf?: (sessionId: string) => string
  tokenOf?: (row: Row) => unknown
  /** What is kept of a record, and what is given out of it again. */
  write?: (record: SessionRecord) => SessionRecord
  read?: (record: SessionRecord) => SessionRecord
  load?: Step<[sessionId: string, scope: Scope], Loaded | null>
  save?: Step<[session: SessionRecord, token: unknown], boolean>
  delete?: Step<[sessionId: string, token: unknown], boolean>
  list?: Step<[scope: Scope], string[]>
  replace?: Step<[session: SessionRecord, on: Condition], number>
  change?: Step<[sessionId: string, change: CheckedChange, on: ChangeCondition], ChangeResult>
  /** With null for the revision, whatever it is. */
  remove?: Step<[sessionId: string, scope: Scope, ifRevision?: number | null], boolean>
  readTurns?: Step<[sessionId: string, range: CheckedTurnRange, scope: Scope], TurnPage | null>
  readHeads?: Step<[sessionId: string, range: CheckedTurnRange, scope: Scope], TurnHeadPage | null>
  readParts?: <List extends PartList>(
    store: RowStore,
    next: PartsStep<List>,
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ) => Promise<PartPage<List> | null>
  loadSummary?: Step<[sessionId: string, scope: Scope], SessionSummary | null>
  query?: Step<[query: CheckedQuery], SessionPage>
  scan?: Step<[sessionId: string, from: number, terms: Terms, scope: Scope], ScannedTurns | null>
  ready?: Step<[], void>
  close?: Step<[], void>
  dispose?: Step<[], void>
  /** In the place of every public method. */
  around?: (this: RowStore, next: (...args: unknown[]) => unknown, method: string, args: unknown[]) => unknown
  capabilities?: Partial<Capabilities>
}

type Step<Args extends unknown[], T> = (
  this: RowStore,
  next: (...args: Args) => Promise<T>,
  ...args: Args
) => Promise<T>

export type PartsStep<List extends PartList> = (
  sessionId: string,
  turnId: string,
  range: CheckedPartRange<List>,
  scope: Scope,
) => Promise<PartPage<List> | null>

/** Four hooks over rows: a right store, in which one step can be made wrong. */
export class RowStore extends DocumentSessionStore {
  readonly capabilities: Capabilities
  readonly rows: Rows
  readonly #faults: Faults

  constructor(rows: Rows, faults: Faults) {
    super()
    this.rows = rows
    this.#faults = faults
    const shared: Capabilities =
      rows instanceof MemoryRows
        ? { durability: 'none', sharing: 'process', constantAppend: false, constantStep: false, search: 'scan' }
        : { durability: 'process-crash', sharing: 'host', constantAppend: false, constantStep: false, search: 'scan' }
    this.capabilities = { ...shared, ...faults.capabilities }
  }

  /** The rows of a store in memory, to tamper with. */
  get memory(): MemoryRows {
    if (this.rows instanceof MemoryRows) return this.rows
    throw new Error('this store is not in memory')
  }

  get bounds(): Limits {
    return this.limits
  }

  /** The record as it is kept. */
  kept(sessionId: string): SessionRecord | undefined {
    return this.memory.map.get(sessionId)?.session
  }

  summaries(scope: Scope): SessionSummary[] {
    return [...this.memory.map.values()]
      .map(({ session }) => structuredClone(summaryOf(session)))
      .filter(summary => inScope(summary, scope))
  }

  protected async _get(sessionId: string, scope: Scope): Promise<Loaded | null> {
    return this.#step(this.#faults.load, this.#load, sessionId, scope)
  }

  protected async _put(session: SessionRecord, token: unknown): Promise<boolean> {
    return this.#step(this.#faults.save, this.#save, session, token)
  }

  protected async _delete(sessionId: string, token: unknown): Promise<boolean> {
    return this.#step(this.#faults.delete, this.#delete, sessionId, token)
  }

  protected async _ids(scope: Scope): Promise<string[]> {
    return this.#step(this.#faults.list, this.#list, scope)
  }

  protected override _saveSession(session: SessionRecord, on: Condition): Promise<number> {
    return this.#step(this.#faults.replace, (...args) => super._saveSession(...args), session, on)
  }

  protected override _changeSession(
    sessionId: string,
    change: CheckedChange,
    on: ChangeCondition,
  ): Promise<ChangeResult> {
    return this.#step(this.#faults.change, (...args) => super._changeSession(...args), sessionId, change, on)
  }

  protected override _deleteSession(
    sessionId: string,
    { scope, ifRevision, evenIfDamaged }: Deletion,
  ): Promise<boolean> {
    const next = (id: string, within: Scope, on: number | null = ifRevision ?? null): Promise<boolean> =>
      super._deleteSession(id, { scope: within, ifRevision: on ?? undefined, evenIfDamaged })
    return this.#step(this.#faults.remove, next, sessionId, scope, ifRevision)
  }

  protected override _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#step(this.#faults.readTurns, (...args) => super._readTurns(...args), sessionId, range, scope)
  }

  protected override _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    return this.#step(this.#faults.readHeads, (...args) => super._readTurnHeads(...args), sessionId, range, scope)
  }

  protected override _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    const next: PartsStep<List> = (...args) => super._readParts(...args)
    const { readParts } = this.#faults
    return readParts === undefined
      ? next(sessionId, turnId, range, scope)
      : readParts(this, next, sessionId, turnId, range, scope)
  }

  protected override _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return this.#step(this.#faults.loadSummary, (...args) => super._loadSummary(...args), sessionId, scope)
  }

  protected override _querySessions(query: CheckedQuery): Promise<SessionPage> {
    return this.#step(this.#faults.query, (...args) => super._querySessions(...args), query)
  }

  protected override _scanTurns(
    sessionId: string,
    from: number,
    terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    const { scan } = this.#faults
    return this.#step(scan, (...args) => super._scanTurns(...args), sessionId, from, terms, scope)
  }

  protected override _ready(): Promise<void> {
    return this.#step(this.#faults.ready, () => super._ready())
  }

  protected override _close(): Promise<void> {
    return this.#step(this.#faults.close, () => super._close())
  }

  #step<Args extends unknown[], T>(
    fault: Step<Args, T> | undefined,
    right: (...args: Args) => Promise<T>,
    ...args: Args
  ): Promise<T> {
    return fault === undefined ? right(...args) : fault.call(this, right, ...args)
  }

  readonly #load = async (sessionId: string, _scope: Scope): Promise<Loaded | null> => {
    await latency()
    const row = await this.rows.get(this.#keyOf(sessionId))
    await latency()
    if (row === null) return null
    const { read = structuredClone<SessionRecord>, tokenOf = () => row.token } = this.#faults
    return { session: read(row.session), token: tokenOf(row) }
  }

  readonly #save = async (session: SessionRecord, token: unknown): Promise<boolean> => {
    const { write = structuredClone<SessionRecord> } = this.#faults
    const key = this.#keyOf(session.sessionId)
    const current = await this.#current(key, token)
    return current !== undefined && this.rows.put(key, write(session), current)
  }

  readonly #delete = async (sessionId: string, token: unknown): Promise<boolean> => {
    const key = this.#keyOf(sessionId)
    const current = await this.#current(key, token)
    return current !== undefined && this.rows.remove(key, current)
  }

  readonly #list = async (scope: Scope): Promise<string[]> =>
    (await this.rows.all()).filter(({ session }) => inScope(session, scope)).map(({ session }) => session.sessionId)

  /** The version that a token stands for, if it is that of the row still. */
  async #current(key: string, token: unknown): Promise<number | null | undefined> {
    const { tokenOf } = this.#faults
    if (tokenOf === undefined) return token === null || typeof token === 'number' ? token : undefined
    const row = await this.rows.get(key)
    if (row === null) return token === null ? null : undefined
    return tokenOf(row) === token ? row.token : undefined
  }

  #keyOf(sessionId: string): string {
    return this.#faults.keyOf?.(sessionId) ?? sessionId
  }
}

/** Some turns of the event loop, never the same number for all. */
export async function latency(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 3); turns > 0; turns--) {
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  }
}

/** The store, with each public method going through the fault. */
export function throughCall(store: RowStore, { around, dispose }: Faults): RowStore {
  if (around === undefined && dispose === undefined) return store
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (name === Symbol.asyncDispose && dispose) return () => dispose.call(store, () => target.close())
      if (typeof member !== 'function' || name === 'constructor' || name === Symbol.asyncDispose) return member
      return (...args: unknown[]): unknown => {
        const next = (...given: unknown[]): unknown => Reflect.apply(member, target, given)
        return around === undefined ? next(...args) : around.call(store, next, String(name), args)
      }
    },
  })
}
