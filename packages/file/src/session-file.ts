import { randomUUID } from 'node:crypto'
import { renameSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type ChangeResult, decodeSession, encodeSession, isEnded, type Limits, type SessionRecord, type SessionSummary, type TurnPage, type TurnRecord, TurnstoreError } from '@turnstore/core'
import {
  type ChangePlan,
  cloneSession,
  cloneTurn,
  type Condition,
  inScope,
  type NormalChange,
  type NormalTurnRange,
  planChange,
  quote,
  resolveTurnRange,
  resultOf,
  type Scope,
  sessionNotFound,
} from '@turnstore/core/adapter'
import { documentText, type Span } from './document.js'
import { encodeEntry, entryOf } from './entry.js'
import { keepsBigIntegers, toPlainObject } from './exact-json.js'
import { isMissing, writeError } from './file-errors.js'
import { identify } from './file-identity.js'
import { composeDocument } from './fold.js'
import { encodeRecord } from './journal.js'
import { JournalWriter } from './journal-writer.js'
import type { Lock, LockFolder } from './kernel-lock.js'
import { Mutex } from './mutex.js'
import { replaceFile, StagedFile, syncFolder } from './replace-file.js'
import type { SessionIndex, Snapshot } from './session-index.js'
import type { Layout, SessionPaths } from './session-paths.js'
import { bringUpToDate, LOOKS, plainSummary, readPlaces, restless, withDocumentTurns } from './session-reader.js'
import { Moved, Sources } from './sources.js'

/** What all sessions of a store share. */
export interface StoreFolder {
  readonly layout: Layout
  /** What is ours alone. */
  readonly ownFolder: string
  readonly locks: LockFolder
  readonly limits: Limits
  readonly timeoutMs: number
}

/** A change that waits to be written with the others that wait at the same moment. */
interface Waiting {
  readonly change: NormalChange
  readonly condition: Condition
  readonly deadline: number
  readonly resolve: (result: ChangeResult) => void
  readonly reject: (error: unknown) => void
}

/** Changes written with one sync at the most. */
const BATCH = 256

/** A journal is folded when it has outgrown the document, and this. */
const FOLD_BYTES = 256 * 1024

/**
 * One session on disk: its document, the journal beside it, and what this handle knows of them.
 *
 * Every write happens under the session's lock, which the kernel keeps between processes. Readers take
 * no lock: they read the document, then the journals, and look whether the document is still the same.
 */
export class SessionFile {
  readonly paths: SessionPaths
  readonly #folder: StoreFolder
  readonly #writer: JournalWriter
  readonly #mutex = new Mutex()
  readonly #queue: Waiting[] = []
  #index: SessionIndex | null = null
  #drained: Promise<void> | null = null
  #folding: Promise<void> | null = null
  #foldAt = FOLD_BYTES
  /** The document that is known to be in its folder for good. */
  #trusted: string | null = null
  /** A sync failed: what stands in the journal may not be on the disk, whatever a later sync says. */
  #distrustsJournal = false
  #isReleased = false

  constructor(paths: SessionPaths, folder: StoreFolder) {
    this.paths = paths
    this.#folder = folder
    this.#writer = new JournalWriter(paths.journal)
  }

  // ---- Reading.

  /** All but the turns; null where there is no such session here. */
  async summary(): Promise<SessionSummary | null> {
    return this.#read(async index => plainSummary(index))
  }

  async load(): Promise<{ session: SessionRecord; token: string } | null> {
    return this.#read(async (index, documentTurns) => {
      const { head, places, document } = index.snapshot()
      const { token } = index
      const turns = await readPlaces(withDocumentTurns(places, documentTurns), document, this.paths)
      // Through the wire, so that big integers anywhere in it become what a caller can take.
      const whole = index.hasBigIntegers ? decodeSession(toPlainObject(encodeSession(head))) : cloneSession(head)
      return { session: { ...whole, turns }, token }
    })
  }

  async readTurns(range: NormalTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#read(async index => {
      if (!inScope(index.head, scope)) return null
      const { turnCount, revision } = index
      const { first, end } = resolveTurnRange(range, turnCount, id => index.lastIndexOf(id))
      const recent = index.recall(first, end)
      if (recent !== null) return { turns: recent.map(cloneTurn), firstIndex: first, turnCount, revision }
      const places = index.places.slice(first, end)
      const turns = await readPlaces(places, index.document, this.paths)
      index.rememberTurns(first, places, turns)
      return { turns: turns.map(cloneTurn), firstIndex: first, turnCount, revision }
    })
  }

  /** Whether the session is in this place. */
  async isHere(): Promise<boolean> {
    return this.#index !== null || (await this.#mutex.run(() => this.#refresh())) !== null
  }

  /** How many turns are known by heart. */
  get weight(): number {
    return this.#index?.turnCount ?? 0
  }

  /** Reads from an index that is up to date, again where the files were moved meanwhile. */
  async #read<T>(
    read: (index: SessionIndex, documentTurns: readonly TurnRecord[] | null) => Promise<T>,
  ): Promise<T | null> {
    for (let look = 0; ; look++) {
      const index = await this.#mutex.run(() => this.#refresh())
      if (index === null) return null
      try {
        return await read(index, index.takeDocumentTurns())
      } catch (error) {
        if (!(error instanceof Moved)) throw error
        if (look === LOOKS) throw restless(this.paths)
        if (this.#index === index) this.#index = null
      }
    }
  }

  /** Brings the index up to date. Only one at a time. */
  async #refresh(): Promise<SessionIndex | null> {
    const known = this.#index
    this.#index = null
    this.#index = await bringUpToDate(known, this.paths, this.#folder.layout)
    return this.#index
  }

  // ---- Changing.

  /** Changes that wait at the same moment are written together, each with its own success or failure. */
  change(change: NormalChange, condition: Condition): Promise<ChangeResult> {
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#folder.timeoutMs
      this.#queue.push({ change, condition, deadline, resolve, reject })
      this.#drained ??= this.#drain().finally(() => {
        this.#drained = null
      })
    })
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      let lock: Lock
      try {
        // Before the lock, so that nobody waits for us while we read a long session for the first time.
        if (this.#index === null) await this.#mutex.run(() => this.#refresh())
        lock = await this.#folder.locks.acquire(this.paths.sessionId, { deadline: this.#queue[0]?.deadline ?? 0 })
      } catch (error) {
        this.#queue.shift()?.reject(writeError(error, 'not-stored'))
        continue
      }
      try {
        await this.#commit(this.#queue.splice(0, BATCH))
      } finally {
        lock.release()
      }
    }
    if (this.#isReleased) this.#writer.close()
    else this.#foldIfGrown()
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const acknowledge: (() => void)[] = []
    try {
      const index = await this.#mutex.run(() => this.#decideAndWrite(batch, acknowledge))
      if (index !== null) await this.#sync(index)
    } catch (error) {
      this.#index = null
      for (const { reject } of batch) reject(writeError(error))
      return
    }
    for (const resolve of acknowledge) resolve()
  }

  /** Gives what has to be on the disk before anything is acknowledged; null where all is. */
  async #decideAndWrite(batch: readonly Waiting[], acknowledge: (() => void)[]): Promise<SessionIndex | null> {
    const index = await this.#refreshToWrite()
    if (index === null) {
      for (const { reject } of batch) reject(sessionNotFound(this.paths.sessionId))
      return null
    }
    const rewrites = this.#distrustsJournal || batch.some(({ change }) => change.keepTurns !== undefined)
    const appending = rewrites ? null : new Appending(index, this.#writer)
    let changed = this.#distrustsJournal
    for (const { change, condition, resolve, reject } of batch) {
      let plan: ChangePlan
      try {
        if (!inScope(index.head, condition.scope)) throw sessionNotFound(this.paths.sessionId)
        plan = planChange(index, change, condition.ifRevision, this.#folder.limits)
      } catch (error) {
        reject(error)
        continue
      }
      acknowledge.push(() => resolve(resultOf(plan)))
      if (!plan.changed) continue
      changed = true
      if (appending === null) index.carryOut(plan)
      else appending.add(plan, change)
    }
    if (!changed) return index
    if (appending === null) {
      await this.#rewrite(index)
      return null
    }
    appending.write()
    return index
  }

  /**
   * What is acknowledged now may build on what another process wrote and did not live to sync, so that
   * goes to the disk with it.
   */
  async #sync(index: SessionIndex): Promise<void> {
    if (this.#trusted !== index.document.version) {
      await syncFolder(this.paths.folder)
      this.#trusted = index.document.version
    }
    if (index.journal === null) return
    try {
      await this.#writer.sync(index.journal)
    } catch (error) {
      this.#distrustsJournal = true
      throw error
    }
  }

  /** The caller holds the lock. What a session that was deleted left behind is moved out of the way. */
  async #refreshToWrite(): Promise<SessionIndex | null> {
    const index = await this.#refresh()
    if (index === null) return null
    index.takeDocumentTurns()
    if (index.journal?.isStale === true) {
      this.#moveAside(this.paths.journal)
      index.journal = null
    }
    if (index.sealed?.isStale === true) {
      this.#moveAside(this.paths.sealed)
      index.sealed = null
    }
    return index
  }

  #moveAside(path: string): void {
    this.#writer.close()
    renameSync(path, join(this.#folder.ownFolder, `left-behind-${randomUUID()}.journal`))
  }

  // ---- Writing the document anew.

  /** Under the lock, with the index at what the document shall hold: writes it, and the journals end. */
  async #rewrite(index: SessionIndex): Promise<void> {
    const staged = await this.#stage(index.snapshot())
    await commitOrDiscard(staged.file)
    this.#index = null
    this.#endJournals()
    this.#distrustsJournal = false
    this.#trusted = identify(this.paths.document)?.version ?? null
  }

  /** A new document under a temporary name, on the disk. */
  async #stage(snapshot: Snapshot): Promise<{ file: StagedFile; spans: Span[] }> {
    const sources = new Sources(snapshot.document, this.paths)
    const file = await StagedFile.open(this.paths.document)
    try {
      const spans = await composeDocument(file, snapshot, sources)
      await file.finish()
      return { file, spans }
    } catch (error) {
      await file.discard()
      throw error
    } finally {
      await sources.close()
    }
  }

  #endJournals(): void {
    this.#writer.close()
    for (const path of [this.paths.journal, this.paths.sealed]) remove(path)
  }

  /**
   * Creates the document or replaces it as a whole. The caller holds the lock.
   * @param decide gives the revision out of what is there, throws, or gives null to leave it
   */
  replace(session: SessionRecord, decide: (current: SessionIndex | null) => number | null): Promise<number | null> {
    return this.#mutex.run(async () => {
      const current = await this.#refreshToWrite()
      const revision = decide(current)
      if (revision === null) return null
      if (current?.hasBigIntegers === true) throw bigIntegersAtStake(this.paths)
      if (current === null && this.#hasJournals()) {
        // Left behind by a delete. They must be gone for good before there is a session that they could
        // be taken for.
        this.#endJournals()
        await syncFolder(this.paths.folder)
      }
      this.#index = null
      await replaceFile(this.paths.document, documentText({ ...session, revision }))
      this.#endJournals()
      this.#trusted = identify(this.paths.document)?.version ?? null
      return revision
    })
  }

  #hasJournals(): boolean {
    return identify(this.paths.journal) !== null || identify(this.paths.sealed) !== null
  }

  /** Deletes the session. The caller holds the lock. First the document: without it there is no session. */
  remove(decide: (current: SessionIndex) => boolean): Promise<boolean> {
    return this.#mutex.run(async () => {
      const current = await this.#refreshToWrite()
      if (current === null || !decide(current)) return false
      this.#index = null
      unlinkSync(this.paths.document)
      await syncFolder(this.paths.folder)
      this.#endJournals()
      return true
    })
  }

  // ---- Folding.

  #foldIfGrown(): void {
    const index = this.#index
    if (index === null || index.journalBytes === 0) return
    const { journalBytes, document } = index
    const hasOutgrown = journalBytes > this.#foldAt && journalBytes > document.bytes
    if (!isEnded(index.head) && !hasOutgrown) return
    this.#folding ??= this.fold()
      // A fold that fails leaves the journal, and that is complete. The next one tries again, later.
      .catch(() => {
        this.#foldAt = 2 * journalBytes
      })
      .finally(() => {
        this.#folding = null
      })
  }

  /**
   * Folds the journal into the document, beside the appends: seals it under the lock, writes the new
   * document with no lock held, and puts it in its place under the lock, if nobody else did meanwhile.
   */
  async fold(): Promise<void> {
    const sealed = await this.#withLock(() => this.#seal())
    if (sealed === null) return
    const { file, spans } = await this.#stage(sealed)
    try {
      await this.#withLock(() => this.#putInPlace(sealed, file, spans))
    } finally {
      await file.discard()
    }
  }

  async #putInPlace(sealed: Snapshot, file: StagedFile, spans: readonly Span[]): Promise<void> {
    // Somebody wrote the document anew, with all that we would write or without our session.
    if (identify(this.paths.document)?.version !== sealed.document.version) return
    await file.commit()
    remove(this.paths.sealed)
    const document = identify(this.paths.document)
    if (document === null) return
    this.#trusted = document.version
    if (this.#index?.document.version === sealed.document.version) {
      this.#index.rebase(sealed, spans, { version: document.version, bytes: document.size })
    }
  }

  /** A journal moved aside takes no more changes; a new one begins with the next. */
  async #seal(): Promise<Snapshot | null> {
    const index = await this.#refreshToWrite()
    if (index === null || (index.journal === null && index.sealed === null)) return null
    if (index.hasBigIntegers && !keepsBigIntegers) return null
    // One that is sealed already is what a fold left that did not come to its end.
    if (index.sealed === null && index.journal !== null) {
      // What is acknowledged from now on builds on it, and only the next journal is synced then.
      await this.#writer.sync(index.journal)
      this.#writer.close()
      renameSync(this.paths.journal, this.paths.sealed)
      index.sealed = index.journal
      index.sealed.path = this.paths.sealed
      index.journal = null
    }
    return index.snapshot()
  }

  async #withLock<T>(work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#folder.timeoutMs
    const lock = await this.#folder.locks.acquire(this.paths.sessionId, { deadline })
    try {
      return await this.#mutex.run(work)
    } finally {
      lock.release()
    }
  }

  // ---- Ending.

  /** Whether nothing is under way, so that it may be forgotten. */
  get isIdle(): boolean {
    return this.#drained === null && this.#folding === null
  }

  /** Folds what is left, and lets go of the files. */
  async close(): Promise<void> {
    await this.settle()
    // Twice where a fold that did not come to its end left a sealed journal beside the one that is written.
    for (let folds = 0; folds < 2; folds++) {
      const index = await this.#mutex.run(() => this.#refresh())
      if (index !== null && index.journalBytes > 0) await this.fold()
    }
    this.release()
  }

  /** Waits for what is under way, and lets go of the files. */
  async settle(): Promise<void> {
    await this.#drained
    await this.#folding
    this.release()
  }

  /** Lets go of the files. Who still holds this object may go on; then it lets go after each change. */
  release(): void {
    this.#isReleased = true
    this.#writer.close()
    this.#index = null
  }
}

/** Changes on their way into the journal: decided one after the other, written at once. */
class Appending {
  readonly #index: SessionIndex
  readonly #writer: JournalWriter
  readonly #lines: Buffer[] = []
  #end = 0

  constructor(index: SessionIndex, writer: JournalWriter) {
    this.#index = index
    this.#writer = writer
  }

  add(plan: ChangePlan, change: NormalChange): void {
    if (this.#lines.length === 0) {
      const { journal, preface } = this.#writer.begin(this.#index)
      this.#index.journal = journal
      this.#push(preface, journal.size)
    }
    const { journal } = this.#index
    if (journal === null) throw new Moved()
    const entry = entryOf(plan, change)
    const { line, offset, length } = encodeRecord(plan.revision, encodeEntry(entry))
    this.#index.apply(entry, plan.revision, { journal, offset: this.#end + offset, length })
    this.#push(line, this.#end)
  }

  #push(line: Buffer, at: number): void {
    this.#lines.push(line)
    this.#end = at + line.length
  }

  write(): void {
    const { journal } = this.#index
    if (journal === null) throw new Moved()
    this.#writer.append(Buffer.concat(this.#lines))
    journal.end = this.#end
    journal.size = this.#end
    journal.torn = false
  }
}

async function commitOrDiscard(file: StagedFile): Promise<void> {
  try {
    await file.commit()
  } catch (error) {
    await file.discard()
    throw error
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function bigIntegersAtStake({ sessionId, document }: SessionPaths): TurnstoreError {
  return new TurnstoreError(
    'INVALID_RECORD',
    `Session ${sessionId} holds integers beyond 2^53, which a record of JavaScript has lost: saving it whole would alter them in ${quote(document, 1000)}. Use changeSession, or delete the session first`,
    { sessionId, outcome: 'not-stored' },
  )
}
