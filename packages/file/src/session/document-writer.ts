import { rmdirSync, unlinkSync } from 'node:fs'
import { type SessionRecord, TurnstoreError } from '@turnstore/core'
import { type Condition, type Deletion, inScope, isDamage, nextRevision, quote } from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { syncFolder } from '../disk/folders.js'
import type { Span } from '../disk/read-file.js'
import { StagedFile } from '../disk/replace-file.js'
import { isMissing } from '../disk/system-code.js'
import { corruptSession, lockMovedAway, movedAway } from '../folder/file-errors.js'
import type { SessionPaths } from '../folder/layout.js'
import { documentText } from '../format/document.js'
import type { Lock } from '../locks/gate.js'
import { composeDocument } from './compose-document.js'
import { PartReader } from './part-reader.js'
import type { SessionState } from './session-state.js'
import type { TurnIndex } from './turn-index.js'
import type { Snapshot } from './turn-places.js'

/*
 * Whatever replaces or removes a document. Except for `stageDocument`, the caller holds the session's lock. The
 * order is always the same: the new document is synced before a journal is removed. A crash in between leaves
 * records that the document already has, and they are skipped.
 */

/** Writes the document from the index. The caller has exclusive use of the index. */
export async function rewriteDocument(state: SessionState, index: TurnIndex, lock: Lock): Promise<void> {
  const { file } = await stageDocument(state.paths, index.snapshot())
  await putInPlace(state, file, lock)
  state.isJournalSuspect = false
}

async function putInPlace(state: SessionState, file: StagedFile, lock: Lock): Promise<void> {
  try {
    checkLock(lock, state.paths)
    state.index = null
    const written = await file.commit()
    const version = versionInPlace(state.paths, written)
    removeJournals(state)
    state.syncedDocument = version
  } finally {
    await file.discard()
  }
}

/**
 * The last look before a write: once the folder was replaced, the lock excludes nobody in the new one, and what this
 * process has read is not what is there.
 * @throws `STORE_UNAVAILABLE`, `not-stored`
 */
export function checkLock(lock: Lock, { document }: SessionPaths): void {
  if (!lock.isInPlace()) throw lockMovedAway(document)
}

/** The version of the document just written. @throws `STORE_UNAVAILABLE`, `unknown`, if it is not in its place any more */
function versionInPlace({ document }: SessionPaths, written: string): string {
  const now = identify(document)
  if (now?.file !== written) throw movedAway(document)
  return now.version
}

/** Writes and syncs a new document under a temporary name. */
export async function stageDocument(
  paths: SessionPaths,
  snapshot: Snapshot,
): Promise<{ file: StagedFile; spans: Span[] }> {
  const reader = new PartReader(snapshot.document, paths)
  const file = await StagedFile.open(paths.document)
  try {
    const spans = await composeDocument(file, snapshot, reader)
    await file.finish()
    return { file, spans }
  } catch (error) {
    await file.discard()
    throw error
  } finally {
    await reader.close()
  }
}

/** Creates or replaces the document as a whole. Returns its revision. */
export function replaceSession(
  state: SessionState,
  session: SessionRecord,
  condition: Condition,
  lock: Lock,
): Promise<number> {
  return state.exclusively(async () => {
    const current = await state.rereadToWrite()
    const revision = nextRevision(session, current?.head ?? null, condition)
    if (current?.hasBigIntegers === true) throw wouldLoseIntegers(state.paths)
    if (current === null && identify(state.paths.document) !== null) {
      throw corruptSession(session.sessionId, state.paths.document, 'another session is in its place')
    }
    if (current === null && hasJournals(state.paths)) {
      checkLock(lock, state.paths)
      // Left by a delete. Their removal must be synced before there is a session that they could be taken for.
      removeJournals(state)
      await syncFolder(state.paths.folder)
    }
    const file = await StagedFile.of(state.paths.document, documentText({ ...session, revision }))
    await putInPlace(state, file, lock)
    return revision
  })
}

/**
 * Deletes the session, its document first: without it there is no session. A damaged one is identified by its
 * place, and so is its workspace.
 */
export function removeSession(state: SessionState, { scope, evenIfDamaged }: Deletion, lock: Lock): Promise<boolean> {
  return state.exclusively(async () => {
    try {
      const current = await state.rereadToWrite()
      if (current === null || !inScope(current.head, scope)) return false
    } catch (error) {
      if (!evenIfDamaged || !isDamage(error)) throw error
    }
    checkLock(lock, state.paths)
    state.index = null
    unlinkDocument(state.paths)
    await syncFolder(state.paths.folder)
    removeJournals(state)
    return true
  })
}

function unlinkDocument({ sessionId, document }: SessionPaths): void {
  if (identify(document)?.isFolder !== true) {
    unlinkSync(document)
    return
  }
  try {
    rmdirSync(document)
  } catch {
    throw corruptSession(sessionId, document, 'it is a folder that is not empty, and is not deleted. Move it away')
  }
}

function hasJournals(paths: SessionPaths): boolean {
  return identify(paths.journal) !== null || identify(paths.rotated) !== null
}

function removeJournals({ writer, paths }: SessionState): void {
  writer.close()
  for (const path of [paths.journal, paths.rotated]) removeFile(path)
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function wouldLoseIntegers({ sessionId, document }: SessionPaths): TurnstoreError {
  return new TurnstoreError(
    'INVALID_RECORD',
    `Session ${sessionId} has integers beyond 2^53, which a JavaScript record cannot represent. Saving it would change them in ${quote(document, 1000)}. Use changeSession, or delete the session first`,
    { sessionId, outcome: 'not-stored' },
  )
}
