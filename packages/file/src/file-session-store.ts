import { join, resolve } from 'node:path'
import {
  type Capabilities,
  type ChangeResult,
  isTurnstoreError,
  type PartList,
  type PartPage,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnHeadPage,
  type TurnPage,
  TurnstoreError,
} from '@turnstore/core'
import {
  AbstractSessionStore,
  Backoff,
  type ChangeCondition,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedQuery,
  type CheckedTurnRange,
  checkStoreOptions,
  type Condition,
  type Creation,
  type Deletion,
  KeyedMutex,
  planCreation,
  RecentMap,
  type ScannedTurns,
  type Scope,
  sessionNotFound,
  type StoreOptions,
  type Terms,
  TimeSlice,
} from '@turnstore/core/adapter'
import { identify } from './disk/file-identity.js'
import { ensureFolder } from './disk/folders.js'
import { Limiter } from './disk/limiter.js'
import { sweepTemporaries } from './disk/temporary-files.js'
import { writeError } from './folder/file-errors.js'
import { createFormat, readFormat, resolveBase } from './folder/format-file.js'
import { Layout, OWN_FOLDER, type SessionPaths } from './folder/layout.js'
import { Listing } from './folder/listing.js'
import { Summaries } from './folder/summaries.js'
import { Remembered } from './format/remembered.js'
import type { Lock } from './locks/gate.js'
import { LockFolder } from './locks/lock-folder.js'
import { Creations } from './session/creations.js'
import { OpenSessions } from './session/open-sessions.js'
import { readSummary } from './session/read-summary.js'
import type { SessionFile } from './session/session-file.js'
import type { StoreFolder } from './session/session-on-disk.js'

export interface FileSessionStoreOptions extends StoreOptions {}

/** Sessions whose places are remembered. A journal beyond that many is compacted by the next writer. */
const REMEMBERED = 20_000

/** The number of sessions whose journals are written at a time. */
const CONCURRENT_APPENDS = 32

/** The number of sessions that `close` compacts at a time. */
const CONCURRENT_COMPACTIONS = 4

/** So many folders are searched without yielding. */
const FEW_FOLDERS = 100

/** An older temporary file was left by a crash: no write takes a day. */
const ABANDONED_MS = 24 * 3600 * 1000

/**
 * Stores each session as one JSON document in a folder, in the layout of the reference implementation
 * (`{base}/{session}.json`, `{base}/{workspace}/{session}.json`). A journal beside it holds the changes since the
 * document was written. An append is one write and one fdatasync, however long the session is.
 *
 * Any number of processes on one host may use the folder at once. The reference may read it, and sees every turn
 * after `close`. `docs/file-format.md` describes the files. The first write creates the folder.
 *
 * @example
 * const store = new FileSessionStore('./sessions')
 * const manager = new SessionManager(store)
 */
export class FileSessionStore extends AbstractSessionStore {
  readonly #path: string
  #capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: true,
    constantStep: true,
    search: 'scan',
  }
  #folder: StoreFolder | null = null
  #listing: Listing | null = null
  /** Whether the store's own folder and the format in it exist. */
  #isPrepared = false
  #preparing: Promise<void> | null = null
  /** Removes what crashes left, once, in the background of the first write. */
  #sweeping: Promise<void> | null = null
  readonly #files = new OpenSessions()
  readonly #creations = new Creations()
  /** By session. */
  readonly #creating = new KeyedMutex()
  /** Where each session was found last. */
  readonly #places = new RecentMap<SessionPaths>(REMEMBERED)
  /** The sessions to whose journals this handle wrote. */
  readonly #uncompacted = new RecentMap<SessionPaths>(REMEMBERED)

  /** @param path the folder, which the first write creates */
  constructor(path: string, options: FileSessionStoreOptions = {}) {
    checkStoreOptions(options)
    super(options)
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      throw new TurnstoreError('INVALID_ARGUMENT', 'FileSessionStore takes the path of a folder')
    }
    this.#path = resolve(path)
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  protected override async _ready(): Promise<void> {
    const base = await resolveBase(this.#path)
    const format = await readFormat(base)
    this.#isPrepared = format !== null
    const layout = new Layout(base, format?.foldsCase ?? false)
    this.#listing = this.#listingOf(layout)
    this.#folder = {
      layout,
      ownFolder: join(base, OWN_FOLDER),
      locks: new LockFolder(join(base, OWN_FOLDER, 'locks')),
      appends: new Limiter(CONCURRENT_APPENDS),
      mutex: new KeyedMutex(),
      limits: this.limits,
      timeoutMs: this.timeoutMs,
    }
    this.#capabilities = {
      // fsync on macOS leaves data in the drive's cache, and Windows cannot sync a folder.
      durability: process.platform === 'linux' ? 'power-loss' : 'process-crash',
      sharing: 'host',
      constantAppend: true,
      constantStep: true,
      search: 'scan',
    }
  }

  /** Compacts what this handle wrote, until the timeout. The rest is complete, and the next writer compacts it. */
  protected override async _close(): Promise<void> {
    const deadline = performance.now() + this.timeoutMs
    const waiting = [...this.#uncompacted.values()]
    const compactAll = async (): Promise<void> => {
      for (let paths = waiting.pop(); paths !== undefined && performance.now() < deadline; paths = waiting.pop()) {
        // If this fails, the journal is still complete.
        if (this.#layout().isInPlace(paths))
          await this.#open(paths)
            .close()
            .catch(() => undefined)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENT_COMPACTIONS }, compactAll))
    await this.#sweeping
    await this.#listing?.close()
    await this.#files.close()
    this.#folder?.locks.close()
  }

  // ---- Reading.

  protected _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    return this.#ask(sessionId, scope, file => file.load(scope))
  }

  protected _readTurns(sessionId: string, range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#ask(sessionId, scope, file => file.readTurns(range, scope))
  }

  protected override _readTurnHeads(
    sessionId: string,
    range: CheckedTurnRange,
    scope: Scope,
  ): Promise<TurnHeadPage | null> {
    return this.#ask(sessionId, scope, file => file.readTurnHeads(range, scope))
  }

  protected override async _readParts<List extends PartList>(
    sessionId: string,
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    return this.#ask(sessionId, scope, file => file.readParts(turnId, range, scope))
  }

  protected override _scanTurns(
    sessionId: string,
    from: number,
    terms: Terms,
    scope: Scope,
  ): Promise<ScannedTurns | null> {
    return this.#ask(sessionId, scope, file => file.scanTurns(from, terms, scope))
  }

  protected _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return this.#ask(sessionId, scope, file => file.summary(scope))
  }

  /** The versions of the files of each session, which a writer changes. */
  protected override async _glance(sessionIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const unknown: string[] = []
    const seen = new Map<string, string>()
    for (const id of sessionIds) {
      const paths = this.#places.get(id)
      if (paths === undefined) {
        unknown.push(id)
        continue
      }
      const versions = [paths.document, paths.journal].map(path => identify(path)?.version ?? '')
      seen.set(id, versions.join(' '))
    }
    for (const [id, token] of (await super._glance(unknown)) ?? []) seen.set(id, token)
    return seen
  }

  /** Asks the session where it was found last, before it is looked for. */
  async #ask<T>(sessionId: string, scope: Scope, ask: (file: SessionFile) => Promise<T | null>): Promise<T | null> {
    const known = this.#openAlready(sessionId)
    // Without a scope, the base comes before the workspaces, and another session of this id may be there by now.
    if (known !== null && (scope !== undefined || known.paths.workspaceFolder === null)) {
      const answer = await ask(known)
      if (answer !== null) return answer
    }
    return this.#first(sessionId, scope, ask)
  }

  /**
   * The first answer that is not null. Yields while it searches many folders, also under a lock: no other process
   * creates or deletes the session then. Among a few folders it does not yield, so that calls keep their order.
   */
  async #first<T>(sessionId: string, scope: Scope, ask: (file: SessionFile) => Promise<T | null>): Promise<T | null> {
    const slice = new TimeSlice()
    let searched = 0
    for (const paths of this.#layout().find(sessionId, scope, this.#places.get(sessionId))) {
      if (searched++ > FEW_FOLDERS && slice.isOver) await slice.yield()
      if (paths === null) continue
      const answer = await ask(this.#open(paths))
      if (answer === null) continue
      this.#places.set(sessionId, paths)
      return answer
    }
    this.#places.delete(sessionId)
    return null
  }

  // ---- Listing.

  protected _listSessions(scope: Scope): Promise<string[]> {
    return this.#known(this.#listing).ids(scope)
  }

  protected _querySessions(query: CheckedQuery): Promise<SessionPage> {
    return this.#known(this.#listing).page(query)
  }

  // ---- Writing.

  protected async _changeSession(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
  ): Promise<ChangeResult> {
    const { creation } = condition
    if (creation === undefined) return this.#changeExisting(sessionId, change, condition, condition.scope)
    const backoff = new Backoff(this.timeoutMs)
    // Another caller may create the session, or delete it, between the two.
    for (let scope: Scope = condition.scope; ; scope = undefined) {
      try {
        return await this.#changeExisting(sessionId, change, condition, scope)
      } catch (error) {
        if (!isTurnstoreError(error, 'SESSION_NOT_FOUND')) throw error
      }
      let planned: Creation
      try {
        planned = planCreation(sessionId, creation, change, condition, this.limits)
      } catch (error) {
        // In another workspace it is there, and that is what the caller has to hear.
        if ((await this.#findToWrite(sessionId, undefined)) === null) throw error
        continue
      }
      // One at a time, so that only one document is written for callers that create the same session.
      if (await this.#creating.run(sessionId, () => this.#create(planned))) return planned.result
      if (!(await backoff.wait())) throw busy(sessionId)
    }
  }

  /** @param scope where it is looked for; whether the change may see it is decided under the lock */
  async #changeExisting(
    sessionId: string,
    change: CheckedChange,
    condition: ChangeCondition,
    scope: Scope,
  ): Promise<ChangeResult> {
    const file = this.#openAlready(sessionId) ?? (await this.#findToWrite(sessionId, scope))
    if (file === null) throw sessionNotFound(sessionId)
    if (!this.#isPrepared || this.#sweeping === null) await this.#prepare()
    this.#uncompacted.set(file.paths.key, file.paths)
    try {
      return await file.change(change, condition)
    } catch (error) {
      if (isTurnstoreError(error, 'STORE_UNAVAILABLE') && error.outcome === 'not-stored' && !this.#hasOwnFolder()) {
        await this.#prepare()
        return file.change(change, condition)
      }
      if (!isTurnstoreError(error, 'SESSION_NOT_FOUND')) throw error
      // Gone, or not in this scope: it may have been created again in another place.
      const other = await this.#findToWrite(sessionId, scope)
      if (other === null || other === file) throw error
      return other.change(change, condition)
    }
  }

  /** False if something is there. */
  async #create({ session, remember }: Creation): Promise<boolean> {
    const remembered = new Remembered()
    if (remember !== undefined) remembered.add({ number: 1, change: remember })
    if (await this.#creations.create(session, remembered, await this.#prepare())) return true
    if ((await this.#findToWrite(session.sessionId, undefined)) !== null) return false
    // Only journals that a delete left behind.
    const condition: Condition = { ifRevision: 0, scope: undefined }
    return this.#replace(session, condition, remembered).then(
      () => true,
      (error: unknown) => {
        if (isTurnstoreError(error, 'REVISION_CONFLICT')) return false
        throw error
      },
    )
  }

  /** The session where it was found last, if it is open. The write itself checks that it is still there. */
  #openAlready(sessionId: string): SessionFile | null {
    const paths = this.#places.get(sessionId)
    if (paths === undefined || !this.#layout().isInPlace(paths)) return null
    return this.#files.isKnown(paths) ? this.#open(paths) : null
  }

  protected async _saveSession(session: SessionRecord, condition: Condition): Promise<number> {
    const mayCreate = condition.ifRevision === undefined || condition.ifRevision === 0
    const nothing = new Remembered()
    if (mayCreate && (await this.#creations.create(session, nothing, await this.#prepare()))) return 1
    return this.#replace(session, condition, nothing)
  }

  /** @param remembered what a new session remembers */
  #replace(session: SessionRecord, condition: Condition, remembered: Remembered): Promise<number> {
    return this.#locked(session.sessionId, async lock => {
      const found = await this.#findToWrite(session.sessionId, undefined)
      return (found ?? (await this.#newFile(session))).replace(session, condition, remembered, lock)
    })
  }

  protected async _deleteSession(sessionId: string, deletion: Deletion): Promise<boolean> {
    const { scope, evenIfDamaged } = deletion
    // Without the store's own folder there are no locks, and they are not created just to find nothing.
    if (!this.#hasOwnFolder() && (await this.#findToWrite(sessionId, scope, evenIfDamaged)) === null) return false
    return this.#locked(sessionId, async lock => {
      const found = await this.#findToWrite(sessionId, scope, evenIfDamaged)
      if (found === null || !(await found.remove(deletion, lock))) return false
      this.#uncompacted.delete(found.paths.key)
      this.#listing?.forget(found.paths)
      return true
    })
  }

  /** The session to write, or null if there is none. */
  async #findToWrite(sessionId: string, scope: Scope, evenIfDamaged = false): Promise<SessionFile | null> {
    try {
      return await this.#first(sessionId, scope, async file => ((await file.isHere(evenIfDamaged)) ? file : null))
    } catch (error) {
      throw writeError(error, 'not-stored')
    }
  }

  /** Ids are unique over all workspaces, so creating, replacing and deleting take the lock of the id. */
  async #locked<T>(sessionId: string, work: (lock: Lock) => Promise<T>): Promise<T> {
    try {
      const { locks, timeoutMs } = await this.#prepare()
      return await locks.hold(sessionId, timeoutMs, work)
    } catch (error) {
      throw writeError(error)
    }
  }

  async #newFile({ sessionId, workspaceId }: SessionRecord): Promise<SessionFile> {
    const layout = this.#layout()
    const paths = layout.pathsForNew(sessionId, workspaceId)
    if (paths.folder !== layout.base) await ensureFolder(paths.folder, layout.base)
    return this.#open(paths)
  }

  /** Creates the store's own folder before the first write, and again if it was removed since. */
  async #prepare(): Promise<StoreFolder> {
    const folder = this.#known(this.#folder)
    if (this.#isPrepared && !this.#hasOwnFolder()) {
      this.#isPrepared = false
      this.#preparing = null
    }
    if (this.#isPrepared) {
      this.#sweeping ??= sweep(folder.layout)
      return folder
    }
    this.#preparing ??= createFormat(folder.layout.base).then(
      ({ foldsCase }) => {
        const layout = new Layout(folder.layout.base, foldsCase)
        if (foldsCase !== folder.layout.foldsCase) this.#listing = this.#listingOf(layout)
        this.#folder = { ...folder, layout }
        this.#isPrepared = true
      },
      (error: unknown) => {
        this.#preparing = null
        throw writeError(error, 'not-stored')
      },
    )
    await this.#preparing
    return this.#known(this.#folder)
  }

  /** Whether the store's own folder exists. If that cannot be found out, the write will fail and say why. */
  #hasOwnFolder(): boolean {
    try {
      return identify(this.#known(this.#folder).ownFolder) !== null
    } catch {
      return true
    }
  }

  #open(paths: SessionPaths): SessionFile {
    return this.#files.open(paths, this.#known(this.#folder))
  }

  #listingOf(layout: Layout): Listing {
    const summaries = new Summaries(join(layout.base, OWN_FOLDER, 'summaries'), layout, this.limits.jsonDepth)
    return new Listing(layout, summaries, readSummary)
  }

  #known<T>(value: T | null): T {
    if (value === null) throw new TurnstoreError('STORE_UNAVAILABLE', 'The store is not ready')
    return value
  }

  #layout(): Layout {
    return this.#known(this.#folder).layout
  }
}

function busy(sessionId: string): TurnstoreError {
  const message = `Other writers kept creating and deleting session ${sessionId}; try again`
  return new TurnstoreError('STORE_BUSY', message, { sessionId, outcome: 'not-stored' })
}

async function sweep(layout: Layout): Promise<void> {
  try {
    for (const folder of layout.folders()) await sweepTemporaries(folder, ABANDONED_MS)
  } catch {
    // Left-over files do no harm.
  }
}
