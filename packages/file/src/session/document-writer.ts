import { rmdirSync, unlinkSync } from 'node:fs'
import { type SessionRecord, TurnstoreError } from '@turnstore/core'
import { type Condition, type Deletion, inScope, isDamage, nextRevision, quote } from '@turnstore/core/adapter'
import { documentText, type Span } from '../format/document.js'
import { corruptSession, movedAway } from '../folder/file-errors.js'
import { isMissing } from '../disk/system-code.js'
import { identify } from '../disk/file-identity.js'
import { composeDocument } from './compose-document.js'
import type { SessionState } from './session-state.js'
import { syncFolder } from '../disk/folders.js'
import { replaceFile, StagedFile } from '../disk/replace-file.js'
import type { TurnIndex, Snapshot } from './turn-index.js'
import type { SessionPaths } from '../folder/layout.js'
import { PartReader } from './part-reader.js'

/*
 * Whatever writes a document anew, or ends it. But for `stageDocument`, the caller holds the session's
 * lock. The order is always the same: the new document is in its place for good before a journal goes,
 * so that a crash in between leaves records which the document has already, and they are passed over.
 */

/** Writes the document with what the index holds, for who has the index to himself. */
export async function rewriteDocument(open: SessionState, index: TurnIndex): Promise<void> {
  const { file } = await stageDocument(open.paths, index.snapshot())
  let written: string
  try {
    written = await file.commit()
  } finally {
    await file.discard()
  }
  open.index = null
  endJournals(open)
  open.distrustsJournal = false
  open.settledDocument = versionInPlace(open.paths, written)
}

/** Of the document that was just written. @throws `STORE_UNAVAILABLE`, `unknown`, where it is not in its place any more */
function versionInPlace({ document }: SessionPaths, written: string): string {
  const now = identify(document)
  if (now?.file !== written) throw movedAway(document)
  return now.version
}

/** A new document under a temporary name, on the disk. */
export async function stageDocument(
  paths: SessionPaths,
  snapshot: Snapshot,
): Promise<{ file: StagedFile; spans: Span[] }> {
  const parts = new PartReader(snapshot.document, paths)
  const file = await StagedFile.open(paths.document)
  try {
    const spans = await composeDocument(file, snapshot, parts)
    await file.finish()
    return { file, spans }
  } catch (error) {
    await file.discard()
    throw error
  } finally {
    await parts.close()
  }
}

/** Creates the document or replaces it as a whole; gives its revision. The caller holds the lock. */
export function replaceSession(open: SessionState, session: SessionRecord, condition: Condition): Promise<number> {
  return open.exclusively(async () => {
    const current = await open.readAnewToWrite()
    const revision = nextRevision(session, current?.head ?? null, condition)
    if (current?.hasBigIntegers === true) throw bigIntegersAtStake(open.paths)
    if (current === null && identify(open.paths.document) !== null) {
      throw corruptSession(session.sessionId, open.paths.document, 'another session stands in its place')
    }
    if (current === null && hasJournals(open.paths)) {
      // Left behind by a delete. They must be gone for good before there is a session that they could
      // be taken for.
      endJournals(open)
      await syncFolder(open.paths.folder)
    }
    open.index = null
    const written = await replaceFile(open.paths.document, documentText({ ...session, revision }))
    endJournals(open)
    open.settledDocument = versionInPlace(open.paths, written)
    return revision
  })
}

/**
 * Deletes the session. The caller holds the lock. First the document: without it there is no session. One that cannot
 * be read is known by its place, and so is its workspace.
 */
export function removeSession(open: SessionState, { scope, evenIfDamaged }: Deletion): Promise<boolean> {
  return open.exclusively(async () => {
    try {
      const current = await open.readAnewToWrite()
      if (current === null || !inScope(current.head, scope)) return false
    } catch (error) {
      if (!evenIfDamaged || !isDamage(error)) throw error
    }
    open.index = null
    unlinkDocument(open.paths)
    await syncFolder(open.paths.folder)
    endJournals(open)
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
    throw corruptSession(sessionId, document, 'it is a folder with files in it, which are not ours to delete; move it away')
  }
}

function hasJournals(paths: SessionPaths): boolean {
  return identify(paths.journal) !== null || identify(paths.rotated) !== null
}

function endJournals({ writer, paths }: SessionState): void {
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

function bigIntegersAtStake({ sessionId, document }: SessionPaths): TurnstoreError {
  return new TurnstoreError(
    'INVALID_RECORD',
    `Session ${sessionId} holds integers beyond 2^53, which a record of JavaScript has lost: saving it whole would alter them in ${quote(document, 1000)}. Use changeSession, or delete the session first`,
    { sessionId, outcome: 'not-stored' },
  )
}
