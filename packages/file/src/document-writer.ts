import { unlinkSync } from 'node:fs'
import { type SessionRecord, TurnstoreError } from '@turnstore/core'
import { type Condition, inScope, nextRevision, quote, type Scope } from '@turnstore/core/adapter'
import { documentText, type Span } from './document.js'
import { corruptSession } from './file-errors.js'
import { isMissing } from './system-code.js'
import { identify } from './file-identity.js'
import { composeDocument } from './fold.js'
import type { OpenSession } from './open-session.js'
import { replaceFile, StagedFile, syncFolder } from './replace-file.js'
import type { SessionIndex, Snapshot } from './session-index.js'
import type { SessionPaths } from './session-paths.js'
import { Sources } from './sources.js'

/*
 * Whatever writes a document anew, or ends it. But for `stageDocument`, the caller holds the session's
 * lock. The order is always the same: the new document is in its place for good before a journal goes,
 * so that a crash in between leaves records which the document has already, and they are passed over.
 */

/** Writes the document with what the index holds, for who has the index to himself. */
export async function rewriteDocument(open: OpenSession, index: SessionIndex): Promise<void> {
  const { file } = await stageDocument(open.paths, index.snapshot())
  try {
    await file.commit()
  } finally {
    await file.discard()
  }
  open.index = null
  endJournals(open)
  open.distrustsJournal = false
  open.settledDocument = identify(open.paths.document)?.version ?? null
}

/** A new document under a temporary name, on the disk. */
export async function stageDocument(
  paths: SessionPaths,
  snapshot: Snapshot,
): Promise<{ file: StagedFile; spans: Span[] }> {
  const sources = new Sources(snapshot.document, paths)
  const file = await StagedFile.open(paths.document)
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

/** Creates the document or replaces it as a whole; gives its revision. The caller holds the lock. */
export function replaceSession(open: OpenSession, session: SessionRecord, condition: Condition): Promise<number> {
  return open.exclusively(async () => {
    const current = await open.refreshToWrite()
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
    await replaceFile(open.paths.document, documentText({ ...session, revision }))
    endJournals(open)
    open.settledDocument = identify(open.paths.document)?.version ?? null
    return revision
  })
}

/** Deletes the session. The caller holds the lock. First the document: without it there is no session. */
export function removeSession(open: OpenSession, scope: Scope): Promise<boolean> {
  return open.exclusively(async () => {
    const current = await open.refreshToWrite()
    if (current === null || !inScope(current.head, scope)) return false
    open.index = null
    unlinkSync(open.paths.document)
    await syncFolder(open.paths.folder)
    endJournals(open)
    return true
  })
}

function hasJournals(paths: SessionPaths): boolean {
  return identify(paths.journal) !== null || identify(paths.sealed) !== null
}

function endJournals({ writer, paths }: OpenSession): void {
  writer.close()
  for (const path of [paths.journal, paths.sealed]) removeFile(path)
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
