import { rmdirSync, unlinkSync } from 'node:fs'
import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { StagedFile } from '../disk/replace-file.js'
import { isMissing } from '../disk/system-code.js'
import { corruptSession, lockMovedAway } from '../folder/file-errors.js'
import type { SessionPaths } from '../folder/layout.js'
import type { Lock } from '../locks/gate.js'
import { composeDocument } from './compose-document.js'
import type { Snapshot, WrittenTurn } from './turn-places.js'

/** Writes and syncs a new document under a temporary name. Needs no lock. */
export async function stageDocument(snapshot: Snapshot): Promise<{ file: StagedFile; turns: WrittenTurn[] }> {
  const file = await StagedFile.open(snapshot.paths.document)
  try {
    const turns = await composeDocument(file, snapshot)
    await file.finish()
    return { file, turns }
  } catch (error) {
    await file.discard()
    throw error
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

/** Folders in the place of a journal go first: what cannot be deleted must not be left without its document. */
export function unlinkDocument({ sessionId, document, journal, rotated }: SessionPaths): void {
  for (const path of [journal, rotated]) {
    if (identify(path)?.isFolder === true) removeFolder(sessionId, path)
  }
  if (identify(document)?.isFolder === true) removeFolder(sessionId, document)
  else unlinkSync(document)
}

function removeFolder(sessionId: string, path: string): void {
  try {
    rmdirSync(path)
  } catch {
    throw corruptSession(sessionId, path, 'it is a folder that is not empty, and is not deleted. Move it away')
  }
}

export function hasJournals({ journal, rotated }: SessionPaths): boolean {
  return identify(journal) !== null || identify(rotated) !== null
}

export function removeJournals({ journal, rotated }: SessionPaths): void {
  for (const path of [journal, rotated]) removeFile(path)
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

export function wouldLoseIntegers({ sessionId, document }: SessionPaths): TurnstoreError {
  return new TurnstoreError(
    'INVALID_RECORD',
    `Session ${sessionId} has integers beyond 2^53, which a JavaScript record cannot represent. Saving it would change them in ${quote(document, 1000)}. Use changeSession, or delete the session first`,
    { sessionId, outcome: 'not-stored' },
  )
}
