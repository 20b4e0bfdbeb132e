import {
  type ChangeOptions,
  type ChangeResult,
  isTurnstoreError,
  type JsonObject,
  type ScopeOptions,
  type SessionChange,
  type SessionStore,
  type ToolCallInput,
  type TurnPage,
  type TurnRecord,
  type TurnUpdate,
} from '@turnstore/core'
import { KeyedMutex, retryConflicts } from '@turnstore/core/adapter'
import { FORMAT, isOwn, itemsOf, ownItems } from '../items/format.js'
import { beginningAmong, entriesOf, type Entry, turnsOfEntries, withoutStarted } from './entries.js'
import { hasLateResult, lateResults } from './late-results.js'
import { type AdditionOptions, emptyView, type NewItem, planAddition, type View } from './plan-addition.js'
import { TurnState } from './turn-state.js'

export interface Place {
  readonly store: SessionStore
  readonly sessionId: string
  readonly workspaceId: string | null | undefined
  readonly agentId: string | null
}

export interface AddOptions extends Pick<AdditionOptions, 'calls' | 'newTurn'> {
  readonly operation?: Operation
}

/** Makes a change safe to repeat. */
export type Operation = Pick<ChangeOptions, 'idempotencyKey' | 'idempotencyDigest'>

/** For {@link SessionLog.tail}. */
export const EVERY_TURN: number = Number.MAX_SAFE_INTEGER

/**
 * The items of a session in its store. It keeps what it knows of the open turn, so that adding an item costs one write.
 * Each write depends on the revision: if another writer was faster, the end of the session is read anew.
 */
export class SessionLog {
  readonly #place: Place
  /** Null: there is no session. Undefined: to be read. */
  #view: View | null | undefined
  /** Of the session as this log read or wrote it last. Null: there was none. */
  #revision: number | null | undefined
  /** Another object each time that the history changed in another way than by what this log added. */
  #lineage: object = {}
  readonly #queue = new KeyedMutex()

  constructor(place: Place) {
    this.#place = place
  }

  get sessionId(): string {
    return this.#place.sessionId
  }

  get lineage(): object {
    return this.#lineage
  }

  /** One at a time, in the order of the calls. The methods below are for use within. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.run('', work)
  }

  /** The entries of the last turns: enough of them, or all. Null if there is no session. */
  async tail(isEnough: (entries: readonly Entry[]) => boolean, first = 1): Promise<Tail | null> {
    for (let last = first; ; last *= 2) {
      const page = await this.#read(last)
      if (page === null) return null
      const beginning = beginningAmong(page.turns)
      const turns = page.turns.slice(Math.max(0, beginning))
      const entries = entriesOf(turns)
      if (beginning !== -1 || page.firstIndex === 0 || isEnough(entries)) {
        return { turns, entries, revision: page.revision, firstIndex: page.turnCount - turns.length }
      }
    }
  }

  /** All items from where reading begins. */
  async history(): Promise<History> {
    const tail = await this.tail(() => false, EVERY_TURN)
    this.#saw(tail?.revision ?? null)
    const items = itemsOf((tail?.turns ?? []).map(withoutStarted))
    return { items, revision: tail?.revision ?? 0, lineage: this.#lineage }
  }

  /** @returns the items with the ids that they got */
  async add(values: readonly JsonObject[], options: AddOptions = {}): Promise<NewItem[]> {
    const { operation = {}, ...others } = options
    const items = newItems(values)
    if (items.length === 0 && operation.idempotencyKey === undefined) return items
    await this.#retry(async () => {
      const known = this.#view === undefined ? await this.#look() : this.#view
      await this.#addTo(known, items, others, operation)
    })
    return items
  }

  /** Adds items to the session as it was at a revision. @returns false if it has another one by now */
  async addAt(
    revision: number,
    values: readonly JsonObject[],
    options: Omit<AddOptions, 'operation'>,
  ): Promise<boolean> {
    const known = await this.#look()
    if (known?.revision !== revision) return false
    try {
      await this.#addTo(known, newItems(values), options, {})
      return true
    } catch (error) {
      if (isTurnstoreError(error, 'REVISION_CONFLICT') || isTurnstoreError(error, 'SESSION_NOT_FOUND')) return false
      throw error
    }
  }

  async #addTo(
    known: View | null,
    items: readonly NewItem[],
    options: Omit<AddOptions, 'operation'>,
    operation: Operation,
  ): Promise<void> {
    this.#view = undefined
    const view = known ?? emptyView
    const { agentId } = this.#place
    const values = items.map(({ value }) => value)
    const whole = view.open?.needsWhole(values) === true ? await this.#wholeTurn(view.open.turnId) : undefined
    const late = hasLateResult(view.open, values) ? await this.#lateResults(view.open?.turnId, values) : []
    const now = new Date().toISOString()
    const plan = planAddition(view, items, { ...options, now, agentId, ...(whole === undefined ? {} : { whole }) })
    const change = { ...plan.change, updateTurns: [...late, ...(plan.change.updateTurns ?? [])] }
    const result = await this.#change(change, known, operation)
    if (result.replayed) return
    const open = plan.advance()
    this.#view = { revision: result.revision, turnCount: result.turnCount, lastTurnId: open?.turnId ?? null, open }
    this.#revision = result.revision
    if (options.newTurn !== undefined) this.#lineage = {}
  }

  /**
   * Edits the end of the history in one change.
   * @param edit gets the entries of the last turns, and returns them with its changes; null to change nothing
   */
  async edit(
    isEnough: (entries: readonly Entry[]) => boolean,
    edit: (entries: readonly Entry[]) => readonly Entry[] | null | Promise<readonly Entry[] | null>,
    operation: Operation = {},
  ): Promise<void> {
    await this.#retry(async () => {
      this.#view = undefined
      const tail = await this.tail(isEnough)
      const edited = await edit(tail?.entries ?? [])
      if (edited === null) return
      const before = tail?.entries ?? []
      const same = before.findIndex((entry, index) => edited[index] !== entry)
      // Turns before the first difference stay as they are.
      const turn = before.at(same)?.turn
      const from = tail?.turns.findIndex(each => each === turn) ?? 0
      const place = before.findIndex(entry => entry.turn === turn)
      const life = { agentId: this.#place.agentId, startedAt: new Date().toISOString() }
      const appendTurns = turnsOfEntries(edited.slice(Math.max(0, place)), life)
      const keepTurns = tail === null ? 0 : tail.firstIndex + (from === -1 ? tail.turns.length : from)
      const view = tail === null ? null : { ...emptyView, revision: tail.revision }
      await this.#change({ ...(tail === null ? {} : { keepTurns }), appendTurns }, view, operation)
      this.#lineage = {}
    })
  }

  /** Changes parts of turns where they are. */
  async update(updatesOf: (turns: readonly TurnRecord[]) => TurnUpdate[]): Promise<void> {
    await this.#retry(async () => {
      this.#view = undefined
      const tail = await this.tail(() => false, EVERY_TURN)
      const updateTurns = updatesOf(tail?.turns ?? [])
      if (tail === null || updateTurns.length === 0) return
      await this.#change({ updateTurns }, { ...emptyView, revision: tail.revision }, {})
      this.#lineage = {}
    })
  }

  /** Whether an operation was applied. It never is by this. @throws `IDEMPOTENCY_KEY_CONFLICT` */
  async knows(operation: Operation): Promise<boolean> {
    try {
      const scope = this.#scope()
      // The key is looked at before the revision, which no session has.
      const options = { ...scope, ...operation, ifRevision: Number.MAX_SAFE_INTEGER }
      const { replayed = false } = await this.#place.store.changeSession(this.sessionId, {}, options)
      return replayed
    } catch (error) {
      if (isTurnstoreError(error, 'REVISION_CONFLICT') || isTurnstoreError(error, 'SESSION_NOT_FOUND')) return false
      throw error
    }
  }

  /**
   * Records a call beside the items of a turn, unless they have its result.
   * @param turnId of the turn; by default the open one
   * @returns the id of the turn; null if none is open
   */
  async putCall(call: ToolCallInput, turnId?: string): Promise<string | null> {
    this.#view ??= await this.#look()
    const view = this.#view
    const id = turnId ?? view?.open?.turnId
    if (view === null || id === undefined) return null
    // A call that timed out has a result of the SDK's by now.
    if (view.open?.turnId === id && view.open.isSettled(call.callId ?? '')) return id
    await this.#changeBeside(view, { updateTurns: [{ turnId: id, putToolCalls: [{ ...call, replace: true }] }] })
    return id
  }

  /** Records that another agent has taken over, in the open turn: after a crash, the run continues with it. */
  async putAgent(fromAgent: string, toAgent: string): Promise<void> {
    this.#view ??= await this.#look()
    const view = this.#view
    const open = view?.open ?? null
    if (view === null || open === null) return
    const { turnId } = open
    open.notes = { ...open.notes, agent: toAgent }
    const transition = {
      transitionId: crypto.randomUUID(),
      fromAgent,
      toAgent,
      turnId,
      timestamp: new Date().toISOString(),
    }
    await this.#changeBeside(view, {
      updateTurns: [{ turnId, setMetadata: { [FORMAT]: open.notes } }],
      appendAgentTransitions: [transition],
    })
  }

  /** Ends the open turn if it still runs, whatever its items say. */
  async endTurn(status: 'success' | 'error'): Promise<void> {
    this.#view ??= await this.#look()
    const view = this.#view
    const open = view?.open ?? null
    if (view === null || open?.status !== 'running') return
    open.status = status
    const endedAt = new Date().toISOString()
    await this.#changeBeside(view, { updateTurns: [{ turnId: open.turnId, set: { status, endedAt } }] })
  }

  /** Whether the open turn ends with the results of its calls. */
  get hasResults(): boolean {
    const open = this.#view?.open ?? null
    return open !== null && open.status === 'running' && open.openCalls.length === 0
  }

  /** Changes what is beside the items. Whatever others have written, it is right. */
  async #changeBeside(view: View, change: SessionChange): Promise<void> {
    this.#view = undefined
    const { revision } = await this.#place.store.changeSession(this.sessionId, change, this.#scope())
    // Another revision: others write too.
    if (revision <= view.revision + 1) {
      this.#view = { ...view, revision }
      this.#revision = revision
    }
  }

  async clear(): Promise<void> {
    this.#view = undefined
    this.#lineage = {}
    await this.#place.store.deleteSession(this.sessionId, this.#scope())
  }

  /** @param view of the session as the change expects it; null to create it */
  async #change(change: SessionChange, view: View | null, operation: Operation): Promise<ChangeResult> {
    const { store, workspaceId = null, agentId } = this.#place
    const condition =
      view === null ? { createIfMissing: { workspaceId, agentId } } : { ...this.#scope(), ifRevision: view.revision }
    return store.changeSession(this.sessionId, change, { ...condition, ...operation })
  }

  async #retry(work: () => Promise<void>): Promise<void> {
    await retryConflicts(this.sessionId, work, ['REVISION_CONFLICT', 'SESSION_NOT_FOUND'])
  }

  async #look(): Promise<View | null> {
    const page = await this.#read(1)
    this.#saw(page?.revision ?? null)
    if (page === null) return null
    const [turn] = page.turns
    const { revision, turnCount } = page
    const open = turn !== undefined && isOwn(turn) ? TurnState.of(turn) : null
    return { revision, turnCount, lastTurnId: turn?.turnId ?? null, open }
  }

  /** A revision that this log did not write is another writer's. */
  #saw(revision: number | null): void {
    if (this.#revision !== revision) this.#lineage = {}
    this.#revision = revision
  }

  async #wholeTurn(turnId: string): Promise<JsonObject[]> {
    const page = await this.#place.store.readTurns(this.sessionId, { turnId }, this.#scope())
    const [turn] = page?.turns ?? []
    return turn === undefined ? [] : ownItems(turn).map(({ value }) => value)
  }

  async #lateResults(openTurnId: string | undefined, values: readonly JsonObject[]): Promise<TurnUpdate[]> {
    const page = await this.#read(EVERY_TURN)
    return lateResults(page?.turns ?? [], openTurnId, values)
  }

  async #read(last: number): Promise<TurnPage | null> {
    return this.#place.store.readTurns(this.sessionId, { last }, this.#scope())
  }

  #scope(): ScopeOptions {
    const { workspaceId } = this.#place
    return workspaceId === undefined ? {} : { workspaceId }
  }
}

export interface Tail {
  readonly turns: TurnPage['turns']
  readonly entries: readonly Entry[]
  readonly revision: number
  /** The place of the first of the turns in the session. */
  readonly firstIndex: number
}

export interface History {
  readonly items: readonly JsonObject[]
  readonly revision: number
  readonly lineage: object
}

function newItems(values: readonly JsonObject[]): NewItem[] {
  return values.map(value => ({ itemId: crypto.randomUUID(), value }))
}
