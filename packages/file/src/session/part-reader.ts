import type { FileHandle } from 'node:fs/promises'
import { waitForDescriptor } from '../disk/descriptors.js'
import { type FileIdentity, identify, identityOf } from '../disk/file-identity.js'
import { FilesChanged, openOrNull, readSpan, readSpanSync, type Span } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import type { DocumentVersion, JournalFile, Place } from './turn-places.js'

/** What is closer than this is read together. */
const GAP_BYTES = 64 * 1024

/** Up to this size, reading synchronously is faster: four calls of microseconds instead of hops to another thread. */
const SYNC_BYTES = 128 * 1024

/** The largest single read. */
const CHUNK_BYTES = 8 * 1024 * 1024

/**
 * Reads parts of a session's files. Each file is checked to be the one that the parts were found in, wherever a
 * compaction may have moved it since.
 */
export class PartReader {
  readonly document: DocumentVersion
  readonly #paths: SessionPaths
  readonly #handles = new Map<JournalFile | 'document', FileHandle>()
  readonly #texts = new Map<Place, string>()

  constructor(document: DocumentVersion, paths: SessionPaths) {
    this.document = document
    this.#paths = paths
  }

  /** Reads what is at these places. @throws {@link FilesChanged} */
  async load(places: Iterable<Place>): Promise<void> {
    this.#texts.clear()
    for (const group of groupsOf(places)) {
      const { file, span } = group
      const bytes =
        span.length <= SYNC_BYTES
          ? await waitForDescriptor(() => readPartSync(file, span, this.#paths, this.document))
          : await readSpan(await this.#handle(file), span)
      addTexts(this.#texts, group, bytes)
    }
  }

  /** What was loaded from a place. */
  text(place: Place): string {
    return textAt(this.#texts, place)
  }

  async documentBytes(span: Span): Promise<Buffer> {
    return readSpan(await this.#handle('document'), span)
  }

  async wholeDocument(): Promise<Buffer> {
    return this.documentBytes({ offset: 0, length: this.document.bytes })
  }

  async close(): Promise<void> {
    for (const handle of this.#handles.values()) await handle.close()
    this.#handles.clear()
  }

  async #handle(file: JournalFile | 'document'): Promise<FileHandle> {
    const known = this.#handles.get(file)
    if (known !== undefined) return known
    for (const path of pathsOf(file, this.#paths)) {
      const handle = await openOrNull(path)
      if (handle === null) continue
      const identity = identityOf(await handle.stat({ bigint: true }))
      if (isItself(file, identity, this.#paths, this.document)) {
        this.#handles.set(file, handle)
        return handle
      }
      await handle.close()
    }
    throw new FilesChanged()
  }
}

/** Reads what is at these places, synchronously, also what is not written yet. @throws {@link FilesChanged} */
export function readTextsSync(
  places: Iterable<Place>,
  paths: SessionPaths,
  document: DocumentVersion,
): (place: Place) => string {
  const texts = new Map<Place, string>()
  const written: Place[] = []
  for (const place of places) {
    const bytes = unwrittenBytes(place)
    if (bytes === null) written.push(place)
    else texts.set(place, bytes.toString())
  }
  for (const group of groupsOf(written)) addTexts(texts, group, readPartSync(group.file, group.span, paths, document))
  return place => textAt(texts, place)
}

/** Reads the bytes of one place, synchronously, also if they are not written yet. @throws {@link FilesChanged} */
export function readBytesSync(place: Place, paths: SessionPaths, document: DocumentVersion): Buffer {
  return unwrittenBytes(place) ?? readPartSync(fileOf(place), place, paths, document)
}

/** Null if it is in a file. */
function unwrittenBytes(place: Place): Buffer | null {
  if (!('journal' in place) || place.offset < place.journal.size) return null
  let start = place.journal.size
  for (const line of place.journal.unwritten) {
    const at = place.offset - start
    if (at < line.length) return line.subarray(at, at + place.length)
    start += line.length
  }
  return null
}

function addTexts(texts: Map<Place, string>, { span, places }: Group, bytes: Buffer): void {
  for (const place of places) {
    const start = place.offset - span.offset
    texts.set(place, bytes.toString('utf8', start, start + place.length))
  }
}

function textAt(texts: ReadonlyMap<Place, string>, place: Place): string {
  const text = texts.get(place)
  if (text === undefined) throw new FilesChanged()
  return text
}

export function fileOf(place: Place): JournalFile | 'document' {
  return 'journal' in place ? place.journal : 'document'
}

/** Where a file may be by now. */
function pathsOf(file: JournalFile | 'document', { document, journal, rotated }: SessionPaths): readonly string[] {
  return file === 'document' ? [document] : [file.path, journal, rotated]
}

/** If the document was replaced, a journal beside the old one may be gone and its inode reused. */
function isItself(
  file: JournalFile | 'document',
  identity: FileIdentity,
  paths: SessionPaths,
  document: DocumentVersion,
): boolean {
  if (file === 'document') return identity.version === document.version
  return identity.file === file.identity && identify(paths.document)?.version === document.version
}

/** Reads a span of a file, or all of it, synchronously. @throws {@link FilesChanged} */
export function readPartSync(
  file: JournalFile | 'document',
  span: Span | 'whole',
  paths: SessionPaths,
  document: DocumentVersion,
): Buffer {
  for (const path of pathsOf(file, paths)) {
    const bytes = readSpanSync(path, span, identity => isItself(file, identity, paths, document))
    if (bytes !== null) return bytes
  }
  throw new FilesChanged()
}

/** Places in one file that are read together. */
interface Group {
  readonly file: JournalFile | 'document'
  readonly span: Span
  readonly places: readonly Place[]
}

function groupsOf(places: Iterable<Place>): Group[] {
  const byFile = new Map<JournalFile | 'document', Place[]>()
  for (const place of places) {
    const file = fileOf(place)
    const known = byFile.get(file)
    if (known === undefined) byFile.set(file, [place])
    else known.push(place)
  }
  return [...byFile].flatMap(([file, all]) => groupsIn(file, all))
}

function groupsIn(file: JournalFile | 'document', all: readonly Place[]): Group[] {
  const groups: { offset: number; end: number; places: Place[] }[] = []
  for (const place of all.toSorted((a, b) => a.offset - b.offset)) {
    const end = place.offset + place.length
    const last = groups.at(-1)
    if (last !== undefined && place.offset - last.end < GAP_BYTES && end - last.offset <= CHUNK_BYTES) {
      last.end = Math.max(last.end, end)
      last.places.push(place)
    } else {
      groups.push({ offset: place.offset, end, places: [place] })
    }
  }
  return groups.map(({ offset, end, places }) => ({ file, span: { offset, length: end - offset }, places }))
}
