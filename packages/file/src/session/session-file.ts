import {
  type ChangeResult,
  decodeSession,
  encodeSession,
  type PartList,
  type PartPage,
  type Parts,
  type SessionRecord,
  type SessionSummary,
  type TurnHeadPage,
  type TurnPage,
} from '@turnstore/core'
import {
  type ChangeCondition,
  cloneSession,
  cloneTurn,
  type Condition,
  type Deletion,
  inScope,
  isDamage,
  type CheckedChange,
  type CheckedPartRange,
  type CheckedTurnRange,
  GroupCommit,
  pageOfParts,
  resolvePartRange,
  resolveTurnRange,
  type ScannedTurns,
  type Scope,
  type Terms,
  type WaitingWrite,
} from '@turnstore/core/adapter'
import { FilesChanged } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import { toPlainObject } from '../format/exact-json.js'
import type { Remembered } from '../format/remembered.js'
import type { Lock } from '../locks/gate.js'
import { readHeadsAt, readListsAt, readTurnsAt } from './assemble-turns.js'
import { journalMismatch, MAX_RETRIES } from './catch-up.js'
import { Compaction } from './compaction.js'
import { type Hold, lockedCommit } from './locked-commit.js'
import { OpenTurn } from './open-turn.js'
import type { ReadSession } from './read-session.js'
import { plainSummary } from './read-summary.js'
import { scanTurnsAt } from './scan-turns.js'
import { SessionOnDisk, type StoreFolder, type WantedChange } from './session-on-disk.js'

/** Turns that a search reads at a time. */
const SCANNED = 64

/** The most changes that share one sync. */
const BATCH = 256

/** A document of up to so many bytes is rewritten by `close` whatever the journal has. */
const SMALL_DOCUMENT_BYTES = 64 * 1024

type WaitingChange = WaitingWrite<WantedChange, ChangeResult>

/**
 * One session, as a store reads and writes it.
 *
 * Readers take no lock. They read the document, then the journals, and check that the document is still the same.
 */
export class SessionFile {
  readonly paths: SessionPaths
  readonly #folder: StoreFolder
  readonly #disk: SessionOnDisk
  readonly #compaction: Compaction
  readonly #changes: GroupCommit<WantedChange, ChangeResult>

  constructor(paths: SessionPaths, folder: StoreFolder) {
    const disk = new SessionOnDisk(paths, folder)
    this.paths = paths
    this.#folder = folder
    this.#disk = disk
    const hold: Hold = work => folder.locks.hold(paths.sessionId, folder.timeoutMs, work)
    this.#compaction = new Compaction(disk, hold)
    // Read before the lock is taken, so that the first read of a long session keeps no other process waiting.
    const readAndHold: Hold = work => (disk.known === null ? disk.refresh().then(() => hold(work)) : hold(work))
    const commit = lockedCommit(readAndHold, BATCH, (batch: readonly WaitingChange[], lock) =>
      this.#commit(batch, lock),
    )
    this.#changes = new GroupCommit({ timeoutMs: folder.timeoutMs, commit })
  }

  /** The session without its turns, or null if it is not at these paths. */
  summary(scope: Scope): Promise<SessionSummary | null> {
    return this.#read(scope, async ({ index }) => plainSummary(index))
  }

  load(scope: Scope): Promise<SessionRecord | null> {
    return this.#read(scope, async ({ index, files }) => {
      const { head, places } = index.content()
      const turns = await readTurnsAt(places, files, index.takeDocumentTurns())
      // Encoding and decoding turns big integers anywhere in it into numbers.
      const whole = index.hasBigIntegers ? decodeSession(toPlainObject(encodeSession(head))) : cloneSession(head)
      return { ...whole, turns }
    })
  }

  readTurns(range: CheckedTurnRange, scope: Scope): Promise<TurnPage | null> {
    return this.#read(scope, async ({ index, files }) => {
      const { turnCount, revision } = index
      const { first, end } = resolveTurnRange(range, turnCount, id => index.lastIndexOf(id))
      const places = index.placesIn(first, end)
      let turns = index.recentTurns(places)
      if (turns === null) {
        turns = await readTurnsAt(places, files)
        index.rememberTurns(places, turns)
      }
      return { turns: turns.map(cloneTurn), firstIndex: first, turnCount, revision }
    })
  }

  readTurnHeads(range: CheckedTurnRange, scope: Scope): Promise<TurnHeadPage | null> {
    return this.#read(scope, async ({ index, files }) => {
      const { turnCount, revision } = index
      const { first, end } = resolveTurnRange(range, turnCount, id => index.lastIndexOf(id))
      const turns = await readHeadsAt(index.headsIn(first, end), files)
      return { turns, firstIndex: first, turnCount, revision }
    })
  }

  /** Turns for a search: those that may match, without parts if these are many. */
  scanTurns(from: number, terms: Terms, scope: Scope): Promise<ScannedTurns | null> {
    return this.#read(scope, async ({ index, files }) => {
      const end = Math.min(from + SCANNED, index.turnCount)
      const scanned = await scanTurnsAt(from, end, index, files, terms)
      return { ...scanned, next: end < index.turnCount ? end : null }
    })
  }

  readParts<List extends PartList>(
    turnId: string,
    range: CheckedPartRange<List>,
    scope: Scope,
  ): Promise<PartPage<List> | null> {
    return this.#read(scope, async ({ index, files }) => {
      const { revision } = index
      const turn = index.turnAt(index.lastIndexOf(turnId))
      if (turn === undefined) return null
      if (!(turn instanceof OpenTurn)) {
        const [whole] = await readTurnsAt([turn], files)
        return whole === undefined ? null : pageOfParts(whole, range, revision)
      }
      const { count } = turn[range.list]
      const { first, end } = resolvePartRange(range, count)
      const places =
        range.list === 'items'
          ? { items: turn.items.slice(first, end) }
          : { toolCalls: turn.toolCalls.slice(first, end) }
      const lists: { readonly [L in PartList]: Parts[L][] } = await readListsAt(places, files)
      return { parts: lists[range.list], firstIndex: first, count, revision }
    })
  }

  /** Whether it was read and is not known to be gone. */
  get isKnown(): boolean {
    return this.#disk.known !== null
  }

  /** Whether the session is at these paths. @param evenIfDamaged also if it cannot be read */
  async isHere(evenIfDamaged = false): Promise<boolean> {
    try {
      return this.isKnown || (await this.#disk.refresh()) !== null
    } catch (error) {
      if (evenIfDamaged && isDamage(error)) return true
      throw error
    }
  }

  /** How many turns and parts are in the index, for a limit on memory. */
  get indexedSize(): number {
    return this.#disk.known?.index.size ?? 0
  }

  /** Reads from a current index, and again if the files changed meanwhile. Null if it is not here or not in the scope. */
  async #read<T>(scope: Scope, read: (session: ReadSession) => Promise<T>): Promise<T | null> {
    for (let retries = 0; ; retries++) {
      const session = await this.#disk.refresh()
      if (session === null || !inScope(session.index.head, scope)) return null
      try {
        return await read(session)
      } catch (error) {
        if (!(error instanceof FilesChanged)) throw error
        if (retries === MAX_RETRIES) throw journalMismatch(this.paths)
        this.#disk.forget(session)
      } finally {
        session.index.takeDocumentTurns()
      }
    }
  }

  /** Changes that wait at the same time are written together, each with its own success or failure. */
  change(change: CheckedChange, condition: ChangeCondition): Promise<ChangeResult> {
    return this.#changes.add({ change, condition })
  }

  async #commit(batch: readonly WaitingChange[], lock: Lock): Promise<void> {
    const wanted = batch.map(({ write }) => write)
    const { decisions, session, endsNow } = await this.#folder.appends.run(() => this.#disk.append(wanted, lock))
    // Not before all are stored: one may have failed because of another.
    for (const [at, decision] of decisions.entries()) {
      if ('result' in decision) batch[at]?.resolve(decision.result)
      else batch[at]?.reject(decision.error)
    }
    if (session !== null) this.#compaction.startIfDue(session, endsNow)
  }

  /** Creates or replaces the document as a whole. Returns its revision. The caller holds the lock. */
  replace(session: SessionRecord, condition: Condition, remembered: Remembered, lock: Lock): Promise<number> {
    return this.#disk.replace(session, condition, remembered, lock)
  }

  /** Deletes the session if it is in the scope. The caller holds the lock. */
  remove(deletion: Deletion, lock: Lock): Promise<boolean> {
    return this.#disk.remove(deletion, lock)
  }

  /** Whether no change or compaction is in progress. */
  get isIdle(): boolean {
    return this.#changes.drained === null && this.#compaction.running === null
  }

  /**
   * Compacts the session, unless its journal is small beside the document: so a process that takes one step does not
   * write the whole session.
   */
  async close(): Promise<void> {
    await this.#finished()
    // Twice, in case an unfinished compaction left a rotated journal beside the active one.
    for (let runs = 0; runs < 2; runs++) {
      const session = await this.#disk.refresh()
      if (session !== null && isWorthIt(session)) await this.#compaction.run()
    }
    this.release()
  }

  /** Waits for changes and compaction in progress, then closes the files. */
  async settle(): Promise<void> {
    await this.#finished()
    this.release()
  }

  async #finished(): Promise<void> {
    await this.#changes.drained
    await this.#compaction.running
  }

  /** Closes the files. A caller may still use this object, which then closes them after each change. */
  release(): void {
    this.#disk.release()
  }
}

/** Whether what a compaction copies is not much more than what it adds, or is little. One that was begun is finished. */
function isWorthIt({ journalBytes, rotated, document }: ReadSession): boolean {
  if (rotated !== null) return true
  return journalBytes > 0 && (journalBytes >= document.bytes / 4 || document.bytes <= SMALL_DOCUMENT_BYTES)
}
