import type { FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isTurnstoreError, type SessionSummary, type TurnRecord, type TurnstoreError } from '@turnstore/core'
import { cloneSummary, decodeTurn, isJsonValue, updateTurn } from '@turnstore/core/adapter'
import { outlineDocument, parseDocument } from '../format/document.js'
import { decodePayload, type Entry } from '../format/entry.js'
import { parseExactly, toPlainObject } from '../format/exact-json.js'
import { corruptSession, readError } from '../folder/file-errors.js'
import { type FileIdentity, identify, identityOf } from '../disk/file-identity.js'
import { DamagedJournal, scanJournal } from '../format/journal.js'
import { type JournalFile, newJournalFile, type RecordSpan, TurnIndex, type TurnPlace } from './turn-index.js'
import type { Layout, SessionPaths } from '../folder/layout.js'
import { fileOf, FilesChanged, openOrNull, type Part, readNow, readSpan, readWhole, PartReader } from './part-reader.js'

/** How often one looks again while others keep moving the files. */
export const LOOKS = 100

/**
 * What is on disk at this moment: reads the document, then the journals, and looks whether the document
 * is still the same. Null where there is no such session in this place. What looks like damage while the
 * files move is none.
 * @param known an index of an earlier moment, which is brought up to date if it can be
 * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`; then `known` is of no use any more
 */
export async function refreshIndex(
  known: TurnIndex | null,
  paths: SessionPaths,
  layout: Layout,
): Promise<TurnIndex | null> {
  if (known !== null && isCurrent(known, paths)) return known
  let before: string | null = null
  for (let look = 0; ; look++) {
    const document = identify(paths.document)
    if (document === null) return null
    if (!document.isFile) throw corruptSession(paths.sessionId, paths.document, 'it is no regular file')
    const isKnown = look === 0 && known?.document.version === document.version
    // Null for a look that does not read everything.
    const files = isKnown ? null : versionsOf(paths)
    try {
      const index = isKnown ? known : await openIndex(paths, layout)
      if (index === null) return null
      await catchUp(index, paths)
      if (identify(paths.document)?.version === document.version) return index
    } catch (error) {
      const isDamage = isTurnstoreError(error, 'CORRUPT_SESSION') && (look === LOOKS || files === versionsOf(paths))
      if (isDamage || !isPassing(error)) throw readError(error, paths.sessionId, paths.document)
    }
    if (look === LOOKS || (files !== null && files === before)) throw journalMismatch(paths)
    before = files
    await sleep(Math.min(look, 10))
  }
}

/** What may be the others' doing: what does not fit together, and what looks damaged because of that. */
function isPassing(error: unknown): boolean {
  return error instanceof FilesChanged || isTurnstoreError(error, 'CORRUPT_SESSION')
}

function versionsOf({ document, journal, rotated }: SessionPaths): string {
  return [document, journal, rotated].map(path => identify(path)?.version).join(' ')
}

/**
 * Whether nothing has changed. The document comes last: if it is still the one that was known, a journal
 * with changes that it lacks was in nobody's way, and is the one that was known and no other with its inode.
 */
function isCurrent(index: TurnIndex, paths: SessionPaths): boolean {
  const journal = identify(paths.journal)
  if (!isSame(index.journal, journal)) return false
  // One that was begun and rotated since leaves no trace under its own name.
  if (journal === null && !isSame(index.rotated, identify(paths.rotated))) return false
  return identify(paths.document)?.version === index.document.version
}

function isSame(known: JournalFile | null, now: FileIdentity | null): boolean {
  if (known === null || now === null) return known === now
  return known.isNeeded && known.identity === now.file && known.size === now.size
}

/** After so many looks, or where nothing moves, it is not the others' doing: the journal goes on from a revision that is nowhere. */
export function journalMismatch({ sessionId, journal }: SessionPaths): TurnstoreError {
  return corruptSession(sessionId, journal, 'it does not continue the document beside it')
}

/** The summary of the session in a document that a listing came by, whichever of those with that name it is. */
export async function readSummary(paths: SessionPaths, layout: Layout): Promise<SessionSummary | null> {
  const index = (await refreshIndex(null, paths, layout)) ?? (await refreshIndex(null, await withOwnId(paths), layout))
  return index === null ? null : plainSummary(index)
}

/** A hashed name, or one of the reference's that looks escaped, is not the name of the id that one would take it for. */
async function withOwnId(paths: SessionPaths): Promise<SessionPaths> {
  try {
    const read = await readWhole(paths.document)
    return read === null ? paths : { ...paths, sessionId: (await outlineDocument(read.bytes)).head.sessionId }
  } catch (error) {
    if (error instanceof FilesChanged) return paths
    throw readError(error, paths.sessionId, paths.document)
  }
}

/** All but the turns, as a caller gets it. */
export function plainSummary({ summary, hasBigIntegers }: TurnIndex): SessionSummary {
  return hasBigIntegers ? { ...summary, metadata: toPlainObject(summary.metadata) } : cloneSummary(summary)
}

/**
 * Reads a document and finds its turns; null where the file is gone or is that of another session.
 * @throws `CORRUPT_SESSION`, `SCHEMA_TOO_NEW`
 */
async function openIndex(paths: SessionPaths, layout: Layout): Promise<TurnIndex | null> {
  try {
    const read = await readWhole(paths.document)
    if (read === null) return null
    const outline = await outlineDocument(read.bytes)
    const { sessionId, workspaceId } = outline.head
    if (sessionId !== paths.sessionId) {
      if (layout.isPlaceOf(paths, sessionId, workspaceId)) return null
      throw corruptSession(paths.sessionId, paths.document, 'its session_id is not that of its name')
    }
    if (!layout.isPlaceOf(paths, sessionId, workspaceId)) {
      throw corruptSession(paths.sessionId, paths.document, 'its workspace_id is not that of its folder')
    }
    return new TurnIndex(outline, { version: read.identity.version, bytes: read.bytes.length }, (index, place) =>
      readTurnNow(index, place, paths),
    )
  } catch (error) {
    throw readError(error, paths.sessionId, paths.document)
  }
}

/**
 * Reads what the journals hold since they were last read.
 * @throws {@link FilesChanged}; `CORRUPT_SESSION`
 */
async function catchUp(index: TurnIndex, paths: SessionPaths): Promise<void> {
  // The one that is written is opened first: were it moved aside in between, it would be found twice,
  // and not missed.
  const journal = await openJournal(paths.journal, paths)
  let rotated: FileHandle | null = null
  try {
    rotated = await openJournal(paths.rotated, paths)
    const rotatedIdentity = rotated === null ? null : identityOf(await rotated.stat({ bigint: true }))
    const journalIdentity = journal === null ? null : identityOf(await journal.stat({ bigint: true }))
    if (rotated !== null && rotatedIdentity !== null) {
      if (index.rotated?.identity !== rotatedIdentity.file) {
        const isOurs = index.journal?.identity === rotatedIdentity.file
        index.rotated = isOurs ? index.journal : newJournalFile(rotatedIdentity.file, paths.rotated)
        if (isOurs) index.journal = null
      }
      if (index.rotated !== null) await readJournal(index, index.rotated, rotated, paths.rotated)
    } else {
      // It went with the document that it continues, or had nothing that the document lacks.
      if (index.rotated?.isNeeded === true) throw new FilesChanged()
      index.rotated = null
    }
    if (journal === null || journalIdentity === null || journalIdentity.file === rotatedIdentity?.file) {
      if (index.journal !== null) throw new FilesChanged()
    } else {
      if (index.journal?.identity !== journalIdentity.file) {
        if (index.journal !== null) throw new FilesChanged()
        index.journal = newJournalFile(journalIdentity.file, paths.journal)
      }
      await readJournal(index, index.journal, journal, paths.journal)
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

async function readJournal(index: TurnIndex, file: JournalFile, handle: FileHandle, path: string): Promise<void> {
  file.path = path
  const identity = identityOf(await handle.stat({ bigint: true }))
  if (!identity.isFile) throw corruptSession(index.sessionId, path, 'it is no regular file')
  if (identity.size < file.end || !(await isStillItself(file, handle))) throw new FilesChanged()
  if (identity.size === file.size && file.last !== null) return
  const bytes = await readSpan(handle, { offset: file.end, length: identity.size - file.end })
  try {
    const scan = scanJournal(bytes, file.end)
    for (const record of scan.records) {
      const span = { journal: file, offset: record.offset, length: record.length }
      replay(index, file, record.revision, readPayload(record.payload), span)
    }
    const last = scan.records.at(-1)
    if (last !== undefined) file.last = { offset: last.offset - last.front.length, front: last.front }
    file.end = scan.end
    file.size = identity.size
    file.torn = scan.torn
  } catch (error) {
    if (error instanceof FilesChanged || isTurnstoreError(error, 'SCHEMA_TOO_NEW')) throw error
    const place = error instanceof DamagedJournal ? `at byte ${error.offset}` : `behind byte ${file.end}`
    throw corruptSession(index.sessionId, path, `a record is damaged ${place}`)
  }
}

/**
 * Whether it is the journal that was read, and none that got its inode when that one was removed, nor one
 * whose writer took back what he could not write whole.
 */
async function isStillItself({ last }: JournalFile, handle: FileHandle): Promise<boolean> {
  if (last === null) return true
  const { offset, front } = last
  return (await readSpan(handle, { offset, length: front.length })).toString('latin1') === front
}

type Payload = ReturnType<typeof decodePayload>

function readPayload(text: string): Payload {
  const value: unknown = JSON.parse(text)
  if (!isJsonValue(value)) throw new Error('a record of another form')
  return decodePayload(value)
}

function replay(index: TurnIndex, file: JournalFile, revision: number, payload: Payload, span: RecordSpan): void {
  if ('sessionId' in payload) {
    file.header = payload
    file.isStale = payload.sessionId !== index.sessionId || payload.createdAt !== index.head.createdAt
    if (!file.isStale && index.isForeign) index.head.parentSessionId ??= payload.parentSessionId
    return
  }
  if (file.header === null) throw new Error('a journal without a header')
  if (file.isStale) return
  if (!index.isForeign) {
    if (revision <= index.revision) return
    // A revision is missing: it was compacted into a document that we have not seen yet, or it is lost.
    if (revision !== index.revision + 1) throw new FilesChanged()
  }
  index.apply(payload, revision, span)
  file.isNeeded = true
}

/**
 * The turns at these places.
 * @throws {@link FilesChanged}; `CORRUPT_SESSION`
 */
export async function readTurnsAt(
  places: readonly TurnPlace[],
  document: TurnIndex['document'],
  paths: SessionPaths,
): Promise<TurnRecord[]> {
  const parts = new PartReader(document, paths)
  try {
    const sliced = places.some(isUnsliced) ? await withTurnsOfDocument(places, parts, false) : places
    await parts.load(sliced)
    const entries = new Entries(part => parts.text(part))
    return sliced.map(place => assemble(place, entries))
  } finally {
    await parts.close()
  }
}

export function isUnsliced({ base }: TurnPlace): boolean {
  return base.kind === 'document' && base.span === null
}

/** From a document of another form no turn can be cut: it is parsed as a whole. */
export async function withTurnsOfDocument(
  places: readonly TurnPlace[],
  parts: PartReader,
  keepBigIntegers: boolean,
): Promise<readonly TurnPlace[]> {
  const { turns } = parseDocument(await parts.wholeDocument(), keepBigIntegers)
  return withDocumentTurns(places, turns)
}

/** The same places with the turns of the document in hand. */
export function withDocumentTurns(places: readonly TurnPlace[], turns: readonly TurnRecord[] | null): readonly TurnPlace[] {
  return turns === null ? places : places.map(place => withTurnOf(place, turns))
}

function withTurnOf(place: TurnPlace, turns: readonly TurnRecord[]): TurnPlace {
  const turn = place.base.kind === 'document' ? turns[place.base.item] : undefined
  return turn === undefined ? place : { ...place, base: { kind: 'value', turn } }
}

/** The texts of parts, and the records among them as entries, each parsed once however many turns it has. */
export class Entries {
  readonly textOf: (part: Part) => string
  readonly #entries = new Map<Part, Entry>()

  constructor(textOf: (part: Part) => string) {
    this.textOf = textOf
  }

  get(part: Part): Entry {
    let entry = this.#entries.get(part)
    if (entry === undefined) {
      const payload = readPayload(this.textOf(part))
      if ('sessionId' in payload) throw new FilesChanged()
      entry = payload
      this.#entries.set(part, entry)
    }
    return entry
  }
}

/** A turn from its beginning and what altered it since. */
export function assemble(
  place: TurnPlace,
  entries: Entries,
  parse: (text: string) => unknown = text => JSON.parse(text),
): TurnRecord {
  let turn = beginningOf(place, entries, parse)
  for (const patch of place.patches) {
    for (const update of entries.get(patch).updateTurns) {
      if (update.turnId === place.turnId) turn = updateTurn(turn, update)
    }
  }
  return turn
}

function beginningOf({ base }: TurnPlace, entries: Entries, parse: (text: string) => unknown): TurnRecord {
  if (base.kind === 'value') return base.turn
  if (base.span === null) throw new FilesChanged()
  if (base.kind === 'document') return decodeTurn(parse(entries.textOf(base.span)))
  const turn = entries.get(base.span).appendTurns[base.item]
  if (turn === undefined) throw new FilesChanged()
  return turn
}

/** With big integers kept as they are written, for what goes back to disk. */
export function parseToKeep(text: string): unknown {
  return parseExactly(text).value
}

/** Reads one turn at once, without letting others run: a decision under way needs it, which is rare. */
function readTurnNow({ document }: TurnIndex, place: TurnPlace, paths: SessionPaths): TurnRecord {
  const known = isUnsliced(place)
    ? withTurnOf(place, parseDocument(readNow('document', 'whole', paths, document.version), true).turns)
    : place
  const entries = new Entries(part => readNow(fileOf(part), part, paths, document.version).toString())
  return assemble(known, entries, parseToKeep)
}
