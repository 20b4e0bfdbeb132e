import { randomUUID } from 'node:crypto'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { type ChangeResult, isEnded, type Limits, type SessionRecord } from '@turnstore/core'
import {
  type ChangePlan,
  type ChangeCondition,
  type CheckedChange,
  type Condition,
  type Deletion,
  inScope,
  isDamage,
  type KeyedMutex,
  checkRevision,
  nextRevision,
  outOfReach,
  planChange,
  resultOf,
  sessionNotFound,
} from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { syncFolder } from '../disk/folders.js'
import { StagedFile } from '../disk/replace-file.js'
import { corruptSession, movedAway, writeError } from '../folder/file-errors.js'
import type { Layout, SessionPaths } from '../folder/layout.js'
import { documentText } from '../format/document.js'
import { keepsBigIntegers } from '../format/exact-json.js'
import { encodeEntry, entryOf, spansOf, type TurnChange } from '../format/journal-entry.js'
import type { Remembered } from '../format/remembered.js'
import type { Lock } from '../locks/gate.js'
import type { Limiter } from '../disk/limiter.js'
import type { LockFolder } from '../locks/lock-folder.js'
import { catchUp, isCurrent } from './catch-up.js'
import {
  checkLock,
  hasJournals,
  removeFile,
  removeJournals,
  stageDocument,
  unlinkDocument,
  wouldLoseIntegers,
} from './document-files.js'
import { checkInPlace, JournalWriter } from './journal-writer.js'
import type { ReadSession } from './read-session.js'
import type { Snapshot, WrittenTurn } from './turn-places.js'

/** What all sessions of a store share. */
export interface StoreFolder {
  readonly layout: Layout
  /** `.turnstore` in the base. */
  readonly ownFolder: string
  readonly locks: LockFolder
  /** Writes to journals at a time: each holds descriptors, of which a process has few. */
  readonly appends: Limiter
  /** Protects what is known of each session within this handle. */
  readonly mutex: KeyedMutex
  readonly limits: Limits
  readonly timeoutMs: number
}

export interface WantedChange {
  readonly change: CheckedChange
  readonly condition: ChangeCondition
}

/** A session whose journal was moved aside, at that moment. */
export interface RotatedSession extends Snapshot {
  readonly session: ReadSession
}

export type Decision = { readonly result: ChangeResult } | { readonly error: unknown }

export interface Appended {
  /** One for each change. */
  readonly decisions: readonly Decision[]
  /** The session whose journal has the changes, or null if a document or nothing was written. */
  readonly session: ReadSession | null
  /** One of the changes has ended the session. */
  readonly endsNow: boolean
}

/**
 * One session on disk, and what this handle knows of it. Nothing else changes either.
 *
 * A method that takes a lock expects the session's, which excludes other processes. The mutex protects what is known
 * within this handle; it is not held while waiting for the disk.
 */
export class SessionOnDisk {
  readonly #paths: SessionPaths
  readonly #folder: StoreFolder
  /** Null if the session was not read yet, or must be read again. */
  #known: ReadSession | null = null
  /** The version of the document whose entry in the folder is known to be synced. */
  #syncedDocument: string | null = null
  /** The last writer of the journal, which may still be open. */
  #writer: JournalWriter | null = null
  /** A sync failed: the journal may not be on the disk, even if a later sync succeeds. */
  #isJournalSuspect = false
  #isReleased = false

  constructor(paths: SessionPaths, folder: StoreFolder) {
    this.#paths = paths
    this.#folder = folder
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#folder.mutex.run(this.#paths.key, work)
  }

  /** What was read last, which may have changed since. */
  get known(): ReadSession | null {
    return this.#known
  }

  /** The session as it is now, or null if it is not at these paths. */
  refresh(): Promise<ReadSession | null> {
    return this.#alone(() => this.#refresh())
  }

  /** Reads all of it again the next time, if this is what is known. */
  forget(session: ReadSession): void {
    if (this.#known === session) this.#known = null
  }

  /** Keeps nothing open. Work in progress may continue. */
  release(): void {
    this.#isReleased = true
    this.#known = null
    this.#writer?.close()
  }

  /**
   * Decides changes one after the other, writes them with one call and syncs them once.
   * @throws the error of a write, with its outcome
   */
  async append(changes: readonly WantedChange[], lock: Lock): Promise<Appended> {
    const written = { isBegun: false }
    try {
      const appended = await this.#alone(() => this.#decideAndWrite(changes, written, lock))
      if (appended.session !== null) await this.#sync(appended.session)
      if (this.#isReleased) this.#writer?.close()
      else this.#writer?.rest()
      return appended
    } catch (error) {
      this.#known = null
      this.#writer?.close()
      await this.#abandonJournal(lock)
      throw writeError(error, written.isBegun ? 'unknown' : 'not-stored')
    }
  }

  async #decideAndWrite(wanted: readonly WantedChange[], written: { isBegun: boolean }, lock: Lock): Promise<Appended> {
    const { sessionId } = this.#paths
    const nothing = { session: null, endsNow: false }
    const rewinds = wanted.some(({ change }) => change.keepTurns !== undefined)
    const session = await (rewinds ? this.#rereadToWrite() : this.#refreshToWrite())
    if (session === null) return { decisions: wanted.map(() => ({ error: sessionNotFound(sessionId) })), ...nothing }
    const { index } = session
    const wasEnded = isEnded(index.head)
    const rewrites = this.#isJournalSuspect || rewinds
    let isChanged = this.#isJournalSuspect
    let writer: JournalWriter | null = null
    const decisions: Decision[] = []
    for (const { change, condition } of wanted) {
      const decided = this.#decide(session, change, condition)
      decisions.push('plan' in decided ? { result: resultOf(decided.plan) } : decided)
      if (!('plan' in decided)) continue
      const { plan, changes } = decided
      if (!plan.changed && plan.remember === undefined) continue
      isChanged = true
      const entry = entryOf(plan, change, changes, index.remembered.count + 1)
      if (rewrites) {
        if (plan.keepTurns !== undefined) index.rewind(plan.keepTurns)
        index.apply(entry, plan.revision, null)
        continue
      }
      writer ??= await this.#openJournal(session)
      session.journal = writer.file
      writer.addHeader(index.head)
      const { payload, offset } = writer.add(plan.revision, encodeEntry(entry))
      index.apply(entry, plan.revision, { journal: writer.file, offset, spans: spansOf(entry, payload) })
    }
    if (!isChanged) return { ...nothing, decisions, session }
    if (writer === null) {
      written.isBegun = true
      await this.#rewrite(session, lock)
      return { ...nothing, decisions }
    }
    checkLock(lock, this.#paths)
    written.isBegun = true
    writer.write()
    return { decisions, session, endsNow: !wasEnded && isEnded(index.head) }
  }

  async #openJournal({ journal }: ReadSession): Promise<JournalWriter> {
    this.#writer = await JournalWriter.open(this.#paths.journal, journal, this.#writer)
    return this.#writer
  }

  async #syncJournal(session: ReadSession): Promise<void> {
    if (session.journal === null || session.journal.syncedTo === session.journal.size) return
    await (await this.#openJournal(session)).sync()
  }

  #decide(
    { index }: ReadSession,
    change: CheckedChange,
    condition: ChangeCondition,
  ): { plan: ChangePlan; changes: TurnChange[] } | { error: unknown } {
    try {
      if (!inScope(index.head, condition.scope)) throw outOfReach(this.#paths.sessionId, condition, true)
      const plan = planChange(index, change, condition, this.#folder.limits)
      return { plan, changes: plan.updateTurns.map(update => index.changeOf(update)) }
    } catch (error) {
      return { error }
    }
  }

  /** Also syncs what another process wrote and did not live to sync, since these changes may build on it. */
  async #sync(session: ReadSession): Promise<void> {
    const { document, journal } = session
    const { folder, journal: path } = this.#paths
    // If another process created the journal or the document, its entry in the folder may not be synced yet.
    const isFolderSynced = this.#syncedDocument === document.version && journal?.syncedTo !== 0
    try {
      await this.#syncJournal(session)
      if (!isFolderSynced) await syncFolder(folder)
    } catch (error) {
      this.#isJournalSuspect = true
      throw error
    }
    this.#syncedDocument = document.version
    // The last look before the answers: nobody will find what went into a journal that was moved away.
    if (journal !== null) checkInPlace(path, journal)
  }

  /**
   * After a failed sync, the disk may lack what the page cache still shows, and another process that adds to the
   * journal would sync it with success. So the session is written to a new document, now, while the lock is held,
   * or else with the next change.
   */
  async #abandonJournal(lock: Lock): Promise<void> {
    if (!this.#isJournalSuspect) return
    try {
      await this.#alone(async () => {
        const session = await this.#refreshToWrite()
        if (session !== null) await this.#rewrite(session, lock)
      })
    } catch {
      // The disk still fails. The callers have their errors, and the next change tries again.
      this.#known = null
    }
  }

  /**
   * Creates or replaces the document as a whole. Returns its revision.
   * @param remembered what a new session remembers; a session that is there keeps what it does
   */
  replace(record: SessionRecord, condition: Condition, remembered: Remembered, lock: Lock): Promise<number> {
    return this.#alone(async () => {
      const { document, folder } = this.#paths
      const current = await this.#rereadToWrite()
      const revision = nextRevision(record, current?.index.head ?? null, condition)
      if (current?.index.hasBigIntegers === true) throw wouldLoseIntegers(this.#paths)
      if (current === null && identify(document) !== null) {
        throw corruptSession(record.sessionId, document, 'another session is in its place')
      }
      if (current === null && hasJournals(this.#paths)) {
        checkLock(lock, this.#paths)
        // Left by a delete. Their removal must be synced before there is a session that they could be taken for.
        this.#removeJournals()
        await syncFolder(folder)
      }
      const text = documentText({ ...record, revision }, current?.index.remembered ?? remembered)
      await this.#putInPlace(await StagedFile.of(document, text), lock)
      return revision
    })
  }

  /**
   * Deletes the session, its document first: without it there is no session. A damaged one is identified by its
   * place, and so is its workspace.
   */
  remove({ scope, ifRevision, evenIfDamaged }: Deletion, lock: Lock): Promise<boolean> {
    return this.#alone(async () => {
      try {
        const current = await this.#rereadToWrite()
        if (current === null || !inScope(current.index.head, scope)) return false
        const { sessionId, revision } = current.index.head
        checkRevision(sessionId, ifRevision, revision)
      } catch (error) {
        if (!evenIfDamaged || !isDamage(error)) throw error
      }
      checkLock(lock, this.#paths)
      this.#known = null
      try {
        unlinkDocument(this.#paths)
      } catch (error) {
        throw writeError(error, 'not-stored')
      }
      await syncFolder(this.#paths.folder)
      this.#removeJournals()
      return true
    })
  }

  /** Moves the journal aside, so that the next change begins a new one. Null if there is nothing to compact. */
  rotate(lock: Lock): Promise<RotatedSession | null> {
    return this.#alone(async () => {
      const session = await this.#refreshToWrite()
      if (session === null || (session.journal === null && session.rotated === null)) return null
      if (session.index.hasBigIntegers && !keepsBigIntegers) return null
      // A rotated journal that is there already was left by a compaction that did not finish.
      if (session.rotated === null && session.journal !== null) {
        // Later changes build on this journal, but only the next one is synced with them.
        await this.#syncJournal(session)
        this.#writer?.close()
        checkLock(lock, this.#paths)
        renameSync(this.#paths.journal, this.#paths.rotated)
        session.rotated = session.journal
        session.rotated.path = this.#paths.rotated
        session.journal = null
      }
      return { ...session.snapshot(), session }
    })
  }

  /** Puts the document that a snapshot was written to in its place, unless another process replaced the old one. */
  finishCompaction(
    snapshot: RotatedSession,
    file: StagedFile,
    turns: readonly WrittenTurn[],
    lock: Lock,
  ): Promise<void> {
    return this.#alone(async () => {
      // It was replaced with these changes or by another session, or it was deleted.
      if (identify(this.#paths.document)?.version !== snapshot.document.version) return
      checkLock(lock, this.#paths)
      await file.commit()
      removeFile(this.#paths.rotated)
      const document = identify(this.#paths.document)
      if (document === null) return
      this.#syncedDocument = document.version
      // What was read anew meanwhile has places of its own.
      if (this.#known !== snapshot.session) this.#known = null
      else {
        this.#known.rebase(snapshot, turns, { version: document.version, bytes: document.size })
      }
    })
  }

  /** Writes a new document. */
  async #rewrite(session: ReadSession, lock: Lock): Promise<void> {
    const { file } = await stageDocument(session.snapshot())
    await this.#putInPlace(file, lock)
    this.#isJournalSuspect = false
  }

  /**
   * The new document is synced before a journal is removed. A crash in between leaves records that the document
   * already has, and they are skipped.
   */
  async #putInPlace(file: StagedFile, lock: Lock): Promise<void> {
    try {
      checkLock(lock, this.#paths)
      this.#known = null
      const written = await file.commit()
      const now = identify(this.#paths.document)
      if (now?.file !== written) throw movedAway(this.#paths.document)
      this.#removeJournals()
      this.#syncedDocument = now.version
    } finally {
      await file.discard()
    }
  }

  async #refresh(): Promise<ReadSession | null> {
    const known = this.#known
    this.#known = null
    if (known !== null && isCurrent(known)) return (this.#known = known)
    this.#known = await catchUp(known, this.#paths, this.#folder.layout)
    return this.#known
  }

  /** For a caller that holds the lock. Moves journals of a deleted session away. */
  async #refreshToWrite(): Promise<ReadSession | null> {
    const session = await this.#refresh()
    if (session === null) return null
    session.index.takeDocumentTurns()
    if (session.journal?.isStale === true) {
      this.#moveAside(this.#paths.journal)
      session.journal = null
    }
    if (session.rotated?.isStale === true) {
      this.#moveAside(this.#paths.rotated)
      session.rotated = null
    }
    return session
  }

  /** For removing or replacing stored data. Reads all of it again, since later damage changes neither size nor times. */
  #rereadToWrite(): Promise<ReadSession | null> {
    this.#known = null
    return this.#refreshToWrite()
  }

  #removeJournals(): void {
    this.#writer?.close()
    removeJournals(this.#paths)
  }

  #moveAside(path: string): void {
    this.#writer?.close()
    renameSync(path, join(this.#folder.ownFolder, `left-behind-${randomUUID()}.journal`))
  }
}
