import { setTimeout as sleep } from 'node:timers/promises'
import { isTurnstoreError, type TurnstoreError } from '@turnstore/core'
import { type FileIdentity, identify } from '../disk/file-identity.js'
import { FilesChanged, readWhole } from '../disk/read-file.js'
import { corruptSession, readError } from '../folder/file-errors.js'
import type { Layout, SessionPaths } from '../folder/layout.js'
import { outlineDocument } from '../format/document.js'
import { ReadSession } from './read-session.js'
import { replayJournals } from './replay-journals.js'
import type { JournalFile } from './turn-places.js'

/** How often a read is repeated while other processes keep changing the files. */
export const MAX_RETRIES = 100

/**
 * The session on disk at this moment: reads the document, then the journals, and checks that the document is
 * still the same. Null if the session is not at these paths. What looks damaged while the files change is not
 * reported as damage.
 * @param known what was read earlier, which is updated if possible
 * @param isAnyId whether the session may have another id that its document's name can stand for
 * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`; `known` must not be used then
 */
export async function catchUp(
  known: ReadSession | null,
  paths: SessionPaths,
  layout: Layout,
  isAnyId = false,
): Promise<ReadSession | null> {
  let before: string | null = null
  for (let retries = 0; ; retries++) {
    const document = identify(paths.document)
    if (document === null) return null
    if (!document.isFile) throw corruptSession(paths.sessionId, paths.document, 'it is not a regular file')
    const isKnown = retries === 0 && known?.document.version === document.version
    // Null for an attempt that does not read everything.
    const files = isKnown ? null : versionsOf(paths)
    try {
      const session = isKnown ? known : await openDocument(paths, layout, isAnyId)
      if (session === null) return null
      await replayJournals(session, paths)
      if (identify(paths.document)?.version === document.version) return session
    } catch (error) {
      const isDamage =
        isTurnstoreError(error, 'CORRUPT_SESSION') && (retries === MAX_RETRIES || files === versionsOf(paths))
      if (isDamage || !mayBeTransient(error)) throw readError(error, paths.sessionId, paths.document)
    }
    if (retries === MAX_RETRIES || (files !== null && files === before)) throw journalMismatch(paths)
    before = files
    await sleep(Math.min(retries, 10))
  }
}

/** Whether other processes may have caused the error by changing the files. */
function mayBeTransient(error: unknown): boolean {
  return error instanceof FilesChanged || isTurnstoreError(error, 'CORRUPT_SESSION')
}

function versionsOf({ document, journal, rotated }: SessionPaths): string {
  return [document, journal, rotated].map(path => identify(path)?.version).join(' ')
}

/**
 * Whether nothing has changed. The document is checked last: if it is the known one, no process removed a
 * journal with changes that it lacks, so the journal is the known one and not another with its inode.
 */
export function isCurrent(session: ReadSession): boolean {
  const { paths } = session
  const journal = identify(paths.journal)
  if (!isSame(session.journal, journal)) return false
  // A journal that was created and rotated since leaves no trace under its own name.
  if (journal === null && !isSame(session.rotated, identify(paths.rotated))) return false
  return identify(paths.document)?.version === session.document.version
}

function isSame(known: JournalFile | null, now: FileIdentity | null): boolean {
  if (known === null || now === null) return known === now
  return known.isNeeded && known.identity === now.file && known.size === now.size
}

/** Retrying does not help: the journal continues from a revision that no document has. */
export function journalMismatch({ sessionId, journal }: SessionPaths): TurnstoreError {
  return corruptSession(sessionId, journal, 'it does not continue the document beside it')
}

/**
 * Reads a document and finds its turns. Null if the file is gone or belongs to another session.
 * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`
 */
async function openDocument(paths: SessionPaths, layout: Layout, isAnyId: boolean): Promise<ReadSession | null> {
  try {
    const read = await readWhole(paths.document)
    if (read === null) return null
    const outline = await outlineDocument(read.bytes)
    const { sessionId, workspaceId } = outline.head
    const isOther = sessionId !== paths.sessionId
    if (!layout.isPlaceOf(paths, sessionId, workspaceId)) {
      const mismatch = isOther ? 'its session_id does not match its name' : 'its workspace_id does not match its folder'
      throw corruptSession(paths.sessionId, paths.document, mismatch)
    }
    if (isOther && !isAnyId) return null
    return new ReadSession(outline, { version: read.identity.version, bytes: read.bytes.length }, paths)
  } catch (error) {
    throw readError(error, paths.sessionId, paths.document)
  }
}
