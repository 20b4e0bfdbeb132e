import type { FileHandle } from 'node:fs/promises'
import { isTurnstoreError } from '@turnstore/core'
import { identityOf } from '../disk/file-identity.js'
import { FilesChanged, openOrNull, readSpan } from '../disk/read-file.js'
import { corruptSession, readError } from '../folder/file-errors.js'
import type { SessionPaths } from '../folder/layout.js'
import { altersNothing, parsePayload, spansOf } from '../format/journal-entry.js'
import { DamagedJournal, type JournalRecord, scanJournal } from '../format/journal.js'
import type { ReadSession } from './read-session.js'
import { type JournalFile, newJournalFile } from './turn-places.js'

const LINE_BREAK = 0x0a

/** So much of a journal is read at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024

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
  try {
    let chunk = CHUNK_BYTES
    while (file.size < identity.size || file.last === null) {
      const length = Math.min(chunk, identity.size - file.end)
      const isRest = file.end + length === identity.size
      const bytes = await readSpan(handle, { offset: file.end, length })
      // Only whole lines, unless it is the rest. A line that is longer than a chunk takes a longer one.
      const scan = scanJournal(isRest ? bytes : bytes.subarray(0, bytes.lastIndexOf(LINE_BREAK) + 1), file.end)
      chunk = scan.end === file.end ? 2 * chunk : CHUNK_BYTES
      for (const record of scan.records) replay(session, file, record)
      const last = scan.records.at(-1)
      if (last !== undefined) file.last = { offset: last.offset - last.front.length, front: last.front }
      file.end = scan.end
      if (!isRest) continue
      file.size = identity.size
      file.torn = scan.torn
      break
    }
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

function replay(session: ReadSession, file: JournalFile, { revision, payload, offset }: JournalRecord): void {
  const { index } = session
  const content = parsePayload(payload.toString())
  if ('sessionId' in content) {
    file.header = content
    file.isStale = content.sessionId !== index.sessionId || content.createdAt !== index.head.createdAt
    if (!file.isStale) index.restoreParent(content.parentSessionId)
    return
  }
  if (file.header === null) throw new Error('a journal without a header')
  if (file.isStale) return
  if (!index.isForeign) {
    const isKeyAlone = altersNothing(content)
    const next = isKeyAlone ? index.revision : index.revision + 1
    if (revision < next || (isKeyAlone && index.remembered.has(content.remember))) return
    // A missing revision is in a document that was not read yet, or it is lost.
    if (revision !== next) throw new FilesChanged()
  }
  index.apply(content, revision, { journal: file, offset, spans: spansOf(content, payload) })
  file.isNeeded = true
}
