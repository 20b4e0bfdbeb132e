import { TimeSlice } from '@turnstore/core/adapter'
import { waitForDescriptor } from '../disk/descriptors.js'
import { type FileIdentity, identify } from '../disk/file-identity.js'
import { FilesChanged, readSpanSync, type Span } from '../disk/read-file.js'
import type { SessionFiles, JournalFile, Place } from './turn-places.js'

/*
 * Reads pieces of a session's files. Each file is checked to be the one that the pieces were found in, wherever a
 * compaction may have moved it since.
 *
 * A read is synchronous: that takes four calls of microseconds instead of hops to another thread, and less time than
 * parsing what was read.
 */

/** What is closer than this is read together. */
const GAP_BYTES = 64 * 1024

/** The most that is read at a time, unless one piece is larger. Other work runs in between. */
const CHUNK_BYTES = 1024 * 1024

/** The text at a place that was read. */
export type TextOf = (place: Place) => string

/** Reads the text at these places. @throws {@link FilesChanged} */
export async function readTexts(places: readonly Place[], files: SessionFiles): Promise<TextOf> {
  const texts = new Map<Place, string>()
  const slice = new TimeSlice()
  for (const group of groupsOf(places)) {
    addTexts(texts, group, await readBytes(group.file, group.span, files))
    if (slice.isOver) await slice.yield()
  }
  return place => textAt(texts, place)
}

/** Reads synchronously, also what is not written yet. @throws {@link FilesChanged} */
export function readTextsSync(places: readonly Place[], files: SessionFiles): TextOf {
  const texts = new Map<Place, string>()
  const written: Place[] = []
  for (const place of places) {
    const bytes = unwrittenBytes(place)
    if (bytes === null) written.push(place)
    else texts.set(place, bytes.toString())
  }
  for (const group of groupsOf(written)) addTexts(texts, group, readBytesSync(group.file, group.span, files))
  return place => textAt(texts, place)
}

/** @throws {@link FilesChanged} */
export function readBytes(file: JournalFile | 'document', span: Span, files: SessionFiles): Promise<Buffer> {
  return waitForDescriptor(() => readBytesSync(file, span, files))
}

function readBytesSync(file: JournalFile | 'document', span: Span, files: SessionFiles): Buffer {
  for (const path of pathsOf(file, files)) {
    const bytes = readSpanSync(path, span, identity => isItself(file, identity, files))
    if (bytes !== null) return bytes
  }
  throw new FilesChanged()
}

/** Where a file may be by now. */
function pathsOf(file: JournalFile | 'document', { paths }: SessionFiles): readonly string[] {
  return file === 'document' ? [paths.document] : [file.path, paths.journal, paths.rotated]
}

/** If the document was replaced, a journal beside the old one may be gone and its inode reused. */
function isItself(file: JournalFile | 'document', identity: FileIdentity, { paths, document }: SessionFiles): boolean {
  if (file === 'document') return identity.version === document.version
  return identity.file === file.identity && identify(paths.document)?.version === document.version
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

/** Places in one file that are read together. */
interface Group {
  readonly file: JournalFile | 'document'
  readonly span: Span
  readonly places: readonly Place[]
}

function groupsOf(places: readonly Place[]): Group[] {
  const groups: { file: Group['file']; offset: number; end: number; places: Place[] }[] = []
  const last = new Map<Group['file'], (typeof groups)[number]>()
  for (const place of places.toSorted((a, b) => a.offset - b.offset)) {
    const file: Group['file'] = 'journal' in place ? place.journal : 'document'
    const end = place.offset + place.length
    const group = last.get(file)
    if (group !== undefined && place.offset - group.end < GAP_BYTES && end - group.offset <= CHUNK_BYTES) {
      group.end = Math.max(group.end, end)
      group.places.push(place)
    } else {
      const next = { file, offset: place.offset, end, places: [place] }
      groups.push(next)
      last.set(file, next)
    }
  }
  return groups.map(({ file, offset, end, places }) => ({ file, span: { offset, length: end - offset }, places }))
}
