import { join, resolve } from 'node:path'
import {
  type Capabilities,
  type ChangeResult,
  type DamagedSession,
  isTurnstoreError,
  type SessionPage,
  type SessionRecord,
  type SessionSummary,
  type TurnPage,
  TurnstoreError,
} from '@turnstore/core'
import {
  type BaseStoreOptions,
  checkStoreOptions,
  cloneSummary,
  type Condition,
  type Deletion,
  damageOf,
  inScope,
  isValidId,
  type Listed,
  NativeSessionStore,
  type NormalChange,
  type NormalQuery,
  type NormalTurnRange,
  pageOfListing,
  quote,
  type Scope,
  sessionNotFound,
} from '@turnstore/core/adapter'
import { corruptSession, inTwoPlaces, readError, writeError } from './folder/file-errors.js'
import { identify } from './disk/file-identity.js'
import { createFormat, readFormat, resolveBase } from './folder/format-file.js'
import { LockFolder } from './locks/lock-folder.js'
import { keyOf, OpenSessions } from './session/open-sessions.js'
import type { StoreFolder } from './session/session-state.js'
import { RecentMap } from './folder/recent-map.js'
import { ensureFolder } from './disk/folders.js'
import { sweepTemporaries } from './disk/temporary-files.js'
import type { SessionFile } from './session/session-file.js'
import { type FoundDocument, Layout, OWN_FOLDER, type SessionPaths } from './folder/layout.js'
import { readSummary } from './session/refresh-index.js'
import { TimeSlice } from './format/yielding.js'
import { SummaryCache, versionOf } from './folder/summary-cache.js'

export interface FileSessionStoreOptions extends BaseStoreOptions {}

/** Places of sessions that are not open. Beyond that many, a journal is left to whoever changes its session next. */
const REMEMBERED = 20_000

/** Sessions that `close` compacts at a time. */
const COMPACTIONS = 4

/** So many folders are looked through in one go. */
const FEW_FOLDERS = 100

/** Age from which on a temporary file is taken for one that a crash left: no write takes a day. */
const LEFT_BEHIND_MS = 24 * 3600 * 1000

/**
 * Stores each session as one JSON document in a folder, in the layout of the reference implementation
 * (`{base}/{session}.json`, `{base}/{workspace}/{session}.json`), with a journal beside it for the
 * changes since. An append is one write and one fdatasync, however long the session is.
 *
 * Any number of processes of one host may use the folder at once, and the reference may read it, after
 * `close` every turn. `docs/file-format.md` describes the files. Nothing is created before the first
 * write.
 *
 * @example
 * const store = new FileSessionStore('./sessions')
 * const manager = new SessionManager(store)
 */
export class FileSessionStore extends NativeSessionStore {
  readonly #path: string
  #capabilities: Capabilities = { durability: 'none', sharing: 'process', constantAppend: true }
  #folder: StoreFolder | null = null
  /** Whether what is ours in the folder is there: the format is fixed. */
  #isPrepared = false
  #preparing: Promise<void> | null = null
  /** Once, beside the first write, what crashes left is removed. */
  #sweeping: Promise<void> | null = null
  readonly #files = new OpenSessions()
  /** Where a session was found last. */
  readonly #places = new RecentMap<SessionPaths>(REMEMBERED)
  /** Documents beside which this handle left a journal. */
  readonly #uncompacted = new RecentMap<SessionPaths>(REMEMBERED)
  readonly #summaries = new SummaryCache()

  /** @param path the folder; it is created by the first write */
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
    this.#folder = {
      layout: new Layout(base, format?.foldsCase ?? false),
      ownFolder: join(base, OWN_FOLDER),
      locks: new LockFolder(join(base, OWN_FOLDER, 'locks')),
      limits: this.limits,
      timeoutMs: this.timeoutMs,
    }
    this.#capabilities = {
      // fsync on macOS leaves data in the drive's cache, and Windows cannot sync a folder.
      durability: process.platform === 'linux' ? 'power-loss' : 'process-crash',
      sharing: 'host',
      constantAppend: true,
    }
  }

  /** Compacts what this handle wrote, as long as its time lasts; the rest is correct, and compacted by the next. */
  protected override async _close(): Promise<void> {
    const deadline = performance.now() + this.timeoutMs
    const waiting = [...this.#uncompacted.values()]
    const compactAll = async (): Promise<void> => {
      for (let paths = waiting.pop(); paths !== undefined && performance.now() < deadline; paths = waiting.pop()) {
        // What cannot be compacted now stays in its journal, which is complete.
        if (this.#layout().isInPlace(paths)) await this.#open(paths).close().catch(() => undefined)
      }
    }
    await Promise.all(Array.from({ length: COMPACTIONS }, compactAll))
    await this.#sweeping
    await this.#files.close()
    this.#folder?.locks.close()
  }

  // ---- Reading.

  protected _loadSession(sessionId: string, scope: Scope): Promise<SessionRecord | null> {
    return this.#first(sessionId, scope, file => file.load(scope))
  }

  protected _readTurns(sessionId: string, range: NormalTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#first(sessionId, scope, file => file.readTurns(range, scope))
  }

  protected _loadSummary(sessionId: string, scope: Scope): Promise<SessionSummary | null> {
    return this.#first(sessionId, scope, async file => {
      const summary = await file.summary()
      return summary !== null && inScope(summary, scope) ? summary : null
    })
  }

  /**
   * The answer of the first place that has one. It lets others run meanwhile, under a lock too: nobody
   * creates or deletes this session then, so what was looked at stays as it was. Not among a few folders, or one call
   * would overtake another where the machine is busy.
   */
  async #first<T>(sessionId: string, scope: Scope, ask: (file: SessionFile) => Promise<T | null>): Promise<T | null> {
    const slice = new TimeSlice()
    let looked = 0
    for (const paths of this.#layout().find(sessionId, scope, this.#places.get(sessionId))) {
      if (looked++ > FEW_FOLDERS && slice.isOver) await slice.next()
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

  protected async _list(scope: Scope): Promise<string[]> {
    // The reference may have left one id in two workspaces.
    const ids = new Set<string>()
    for await (const document of this.#documents(scope)) {
      // No call could name it; `querySessions` tells of it.
      if ('code' in document || !isValidId(document.sessionId)) continue
      if (document.isNameCertain) {
        ids.add(document.sessionId)
      } else {
        const listed = await this.#summarise(document)
        // What is damaged in a folder of several workspaces may be of any of them.
        if (listed !== null && ('code' in listed || inScope(listed, scope))) ids.add(listed.sessionId)
      }
    }
    return [...ids]
  }

  /** Of an id that the reference left in two workspaces, the second is told: a listing has each id once. */
  async *#listing(scope: Scope): AsyncIterable<Listed> {
    const places = new Map<string, string>()
    for await (const found of this.#documents(scope)) {
      const listed = 'code' in found ? found : await this.#summarise(found)
      if (listed === null) continue
      if ('code' in found || 'code' in listed) {
        yield listed
        continue
      }
      const { sessionId } = listed
      const other = places.get(sessionId)
      // Where the first is gone, the session was made anew meanwhile.
      const isTwice = other !== undefined && identify(other) !== null
      if (!isTwice) places.set(sessionId, found.document)
      yield isTwice ? inTwoPlaces(sessionId, found.document, other) : listed
    }
  }

  /** Only what leaves the cache is copied. */
  protected async _query(query: NormalQuery): Promise<SessionPage> {
    const page = await pageOfListing(query, this.#listing(query.scope))
    return { ...page, sessions: page.sessions.map(cloneSummary) }
  }

  async *#documents(scope: Scope): AsyncIterable<FoundDocument | DamagedSession> {
    const slice = new TimeSlice()
    for (const document of this.#layout().documents(scope)) {
      yield document
      if (slice.isOver) await slice.next()
    }
  }

  async #summarise(document: FoundDocument): Promise<Listed | null> {
    if (!isValidId(document.sessionId)) return unnameable(document)
    try {
      const version = versionOf(document, document.hasJournal)
      if (version === null) return null
      const known = this.#summaries.get(document, version)
      if (known !== undefined) return known
      const summary = await readSummary(document, this.#layout())
      if (summary !== null) this.#summaries.set(document, version, summary)
      return summary
    } catch (error) {
      const damage = damageOf(document.sessionId, readError(error, document.sessionId, document.document))
      if (damage === null) throw error
      return damage
    }
  }

  // ---- Writing.

  protected async _change(sessionId: string, change: NormalChange, condition: Condition): Promise<ChangeResult> {
    const file = this.#openAlready(sessionId) ?? (await this.#findToWrite(sessionId, condition.scope))
    if (file === null) throw sessionNotFound(sessionId)
    if (!this.#isPrepared || this.#sweeping === null) await this.#prepare()
    this.#uncompacted.set(keyOf(file.paths), file.paths)
    try {
      return await file.change(change, condition)
    } catch (error) {
      if (isTurnstoreError(error, 'STORE_UNAVAILABLE') && error.outcome === 'not-stored' && !this.#hasOwnFolder()) {
        await this.#prepare()
        return file.change(change, condition)
      }
      if (!isTurnstoreError(error, 'SESSION_NOT_FOUND')) throw error
      // Not there any more, or not in this scope: it may have been made anew in another place.
      const other = await this.#findToWrite(sessionId, condition.scope)
      if (other === null || other === file) throw error
      return other.change(change, condition)
    }
  }

  /** The session where it was found last, if it is open: whether it is still there is seen when it is written. */
  #openAlready(sessionId: string): SessionFile | null {
    const paths = this.#places.get(sessionId)
    if (paths === undefined || !this.#layout().isInPlace(paths)) return null
    return this.#files.isKnown(paths) ? this.#open(paths) : null
  }

  protected async _replace(session: SessionRecord, condition: Condition): Promise<number> {
    return this.#locked(session.sessionId, async () => {
      const found = await this.#findToWrite(session.sessionId, undefined)
      return (found ?? (await this.#newFile(session))).replace(session, condition)
    })
  }

  protected async _remove(sessionId: string, deletion: Deletion): Promise<boolean> {
    const { scope, evenIfDamaged } = deletion
    // Where nobody has written yet, there is no lock to take, and none is made only to find nothing.
    if (!this.#hasOwnFolder() && (await this.#findToWrite(sessionId, scope, evenIfDamaged)) === null) return false
    return this.#locked(sessionId, async () => {
      const found = await this.#findToWrite(sessionId, scope, evenIfDamaged)
      if (found === null || !(await found.remove(deletion))) return false
      this.#uncompacted.delete(keyOf(found.paths))
      return true
    })
  }

  /** Where the session is, null where there is none. */
  async #findToWrite(sessionId: string, scope: Scope, evenIfDamaged = false): Promise<SessionFile | null> {
    try {
      return await this.#first(sessionId, scope, async file => ((await file.isHere(evenIfDamaged)) ? file : null))
    } catch (error) {
      throw writeError(error, 'not-stored')
    }
  }

  /** Ids are unique over all workspaces, so what creates, replaces or deletes is decided under a lock by id. */
  async #locked<T>(sessionId: string, work: () => Promise<T>): Promise<T> {
    try {
      const { locks, timeoutMs } = await this.#prepare()
      const lock = await locks.acquire(sessionId, { deadline: performance.now() + timeoutMs })
      try {
        return await work()
      } finally {
        lock.release()
      }
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

  /** Makes what is ours in the folder, before the first write, and again where somebody has taken it away since. */
  async #prepare(): Promise<StoreFolder> {
    const folder = this.#known()
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
        this.#folder = { ...folder, layout: new Layout(folder.layout.base, foldsCase) }
        this.#isPrepared = true
      },
      (error: unknown) => {
        this.#preparing = null
        throw writeError(error, 'not-stored')
      },
    )
    await this.#preparing
    return this.#known()
  }

  /** Whether what is ours is in its place. Where nobody can tell, the write itself will fail and say why. */
  #hasOwnFolder(): boolean {
    try {
      return identify(this.#known().ownFolder) !== null
    } catch {
      return true
    }
  }

  #open(paths: SessionPaths): SessionFile {
    return this.#files.open(paths, this.#known())
  }

  #known(): StoreFolder {
    if (this.#folder === null) throw new TurnstoreError('STORE_UNAVAILABLE', 'The store is not ready')
    return this.#folder
  }

  #layout(): Layout {
    return this.#known().layout
  }
}

async function sweep(layout: Layout): Promise<void> {
  try {
    for (const folder of layout.folders()) await sweepTemporaries(folder, LEFT_BEHIND_MS)
  } catch {
    // What stays is in nobody's way.
  }
}

/** A document of the reference under a name that is no id, with a control character for instance. */
function unnameable({ name, document }: FoundDocument): DamagedSession {
  const { message } = corruptSession(quote(name), document, 'its name is no id that a session may have')
  return { sessionId: quote(name), code: 'CORRUPT_SESSION', message }
}
