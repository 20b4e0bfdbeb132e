import type { FileHandle } from 'node:fs/promises'
import { isTurnstoreError } from '@turnstore/core'
import { identityOf } from '../disk/file-identity.js'
import { FilesChanged, openOrNull, readSpan } from '../disk/read-file.js'
import { corruptSession, readError } from '../folder/file-errors.js'
import type { SessionPaths } from '../folder/layout.js'
import { altersNothing, type Entry, type JournalHeader, parsePayload } from '../format/journal-entry.js'
import { DamagedJournal, scanJournal } from '../format/journal.js'
import type { ReadSession } from './read-session.js'
import { type JournalFile, newJournalFile, type RecordSpan } from './turn-places.js'

/**
 * Applies what the journals hold since they were last read.
 * @throws {@link FilesChanged}; `CORRUPT_SESSION`
 */
export async function replayJournals(session: ReadSession, paths: SessionPaths): Promise<void> {
  // The active journal is opened first: if it is rotated in between, it is found twice rather than not at all.
  const journal = await openJournal(paths.journal, paths)
  let rotated: FileHandle | null = null
  try {
    rotated = await openJournal(paths.rotated, paths)
    const rotatedIdentity = rotated === null ? null : identityOf(await rotated.stat({ bigint: true }))
    const journalIdentity = journal === null ? null : identityOf(await journal.stat({ bigint: true }))
    if (rotated !== null && rotatedIdentity !== null) {
      if (session.rotated?.identity !== rotatedIdentity.file) {
        const isOurs = session.journal?.identity === rotatedIdentity.file
        session.rotated = isOurs ? session.journal : newJournalFile(rotatedIdentity.file, paths.rotated)
        if (isOurs) session.journal = null
      }
      if (session.rotated !== null) await readJournal(session, session.rotated, rotated, paths.rotated)
    } else {
      // It was removed with the document that it continues, or had nothing that the document lacks.
      if (session.rotated?.isNeeded === true) throw new FilesChanged()
      session.rotated = null
    }
    if (journal === null || journalIdentity === null || journalIdentity.file === rotatedIdentity?.file) {
      if (session.journal !== null) throw new FilesChanged()
    } else {
      if (session.journal?.identity !== journalIdentity.file) {
        if (session.journal !== null) throw new FilesChanged()
        session.journal = newJournalFile(journalIdentity.file, paths.journal)
      }
      await readJournal(session, session.journal, journal, paths.journal)
    }
  } finally {
    await journal?.close()
    await rotated?.close()
  }
}

async function openJournal(path: string, { sessionId }: SessionPaths): Promise<FileHandle | null> {
  try {
    return await openOrNull(path)
  } catch (error) {
    throw readError(error, sessionId, path)
  }
}

async function readJournal(session: ReadSession, file: JournalFile, handle: FileHandle, path: string): Promise<void> {
  file.path = path
  const identity = identityOf(await handle.stat({ bigint: true }))
  if (!identity.isFile) throw corruptSession(session.index.sessionId, path, 'it is not a regular file')
  if (identity.size < file.end || !(await isStillItself(file, handle))) throw new FilesChanged()
  if (identity.size === file.size && file.last !== null) return
  const bytes = await readSpan(handle, { offset: file.end, length: identity.size - file.end })
  try {
    const scan = scanJournal(bytes, file.end)
    for (const record of scan.records) {
      const span = { journal: file, offset: record.offset, length: record.length }
      replay(session, file, record.revision, parsePayload(record.payload), span)
    }
    const last = scan.records.at(-1)
    if (last !== undefined) file.last = { offset: last.offset - last.front.length, front: last.front }
    file.end = scan.end
    file.size = identity.size
    file.torn = scan.torn
  } catch (error) {
    if (error instanceof FilesChanged || isTurnstoreError(error, 'SCHEMA_TOO_NEW')) throw error
    const place = error instanceof DamagedJournal ? `at byte ${error.offset}` : `after byte ${file.end}`
    throw corruptSession(session.index.sessionId, path, `a record is damaged ${place}`)
  }
}

/**
 * False for another journal that got the inode of this one after its removal, and for one whose writer undid a
 * partial write.
 */
async function isStillItself({ last }: JournalFile, handle: FileHandle): Promise<boolean> {
  if (last === null) return true
  const { offset, front } = last
  return (await readSpan(handle, { offset, length: front.length })).toString('latin1') === front
}

function replay(
  session: ReadSession,
  file: JournalFile,
  revision: number,
  payload: Entry | JournalHeader,
  span: RecordSpan,
): void {
  const { index } = session
  if ('sessionId' in payload) {
    file.header = payload
    file.isStale = payload.sessionId !== index.sessionId || payload.createdAt !== index.head.createdAt
    if (!file.isStale) index.restoreParent(payload.parentSessionId)
    return
  }
  if (file.header === null) throw new Error('a journal without a header')
  if (file.isStale) return
  if (!index.isForeign) {
    const isKeyAlone = altersNothing(payload)
    const next = isKeyAlone ? index.revision : index.revision + 1
    if (revision < next || (isKeyAlone && index.remembered.has(payload.remember))) return
    // A missing revision is in a document that was not read yet, or it is lost.
    if (revision !== next) throw new FilesChanged()
  }
  index.apply(payload, revision, span)
  file.isNeeded = true
}
