import type { FileHandle } from 'node:fs/promises'
import { waitForDescriptor } from '../disk/descriptors.js'
import { type FileIdentity, identify, identityOf } from '../disk/file-identity.js'
import { FilesChanged, openOrNull, readSpan, readSpanSync, type Span } from '../disk/read-file.js'
import type { SessionPaths } from '../folder/layout.js'
import type { DocumentVersion, JournalFile, Part, TurnPlace } from './turn-places.js'

/** Parts closer than this are read together. */
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
  readonly #texts = new Map<Part, string>()

  constructor(document: DocumentVersion, paths: SessionPaths) {
    this.document = document
    this.#paths = paths
  }

  /** Reads all parts of these places. @throws {@link FilesChanged} */
  async load(places: readonly TurnPlace[]): Promise<void> {
    this.#texts.clear()
    const byFile = new Map<JournalFile | 'document', Set<Part>>()
    for (const place of places) {
      for (const part of partsOf(place)) {
        const file = fileOf(part)
        const parts = byFile.get(file) ?? new Set()
        byFile.set(file, parts.add(part))
      }
    }
    for (const [file, parts] of byFile) {
      for (const group of groupsOf([...parts])) {
        const bytes =
          group.span.length <= SYNC_BYTES
            ? await waitForDescriptor(() => readPartSync(file, group.span, this.#paths, this.document))
            : await readSpan(await this.#handle(file), group.span)
        for (const part of group.parts) {
          const start = part.offset - group.span.offset
          this.#texts.set(part, bytes.toString('utf8', start, start + part.length))
        }
      }
    }
  }

  /** A loaded part. */
  text(part: Part): string {
    const text = this.#texts.get(part)
    if (text === undefined) throw new FilesChanged()
    return text
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

function partsOf({ base, patches }: TurnPlace): readonly Part[] {
  return base.kind === 'value' || base.span === null ? patches : [base.span, ...patches]
}

export function fileOf(part: Part): JournalFile | 'document' {
  return 'journal' in part ? part.journal : 'document'
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

interface Group {
  readonly span: Span
  readonly parts: readonly Part[]
}

function groupsOf(parts: readonly Part[]): Group[] {
  const groups: { offset: number; end: number; parts: Part[] }[] = []
  for (const part of parts.toSorted((a, b) => a.offset - b.offset)) {
    const end = part.offset + part.length
    const last = groups.at(-1)
    if (last !== undefined && part.offset - last.end < GAP_BYTES && end - last.offset <= CHUNK_BYTES) {
      last.end = Math.max(last.end, end)
      last.parts.push(part)
    } else {
      groups.push({ offset: part.offset, end, parts: [part] })
    }
  }
  return groups.map(({ offset, end, parts }) => ({ span: { offset, length: end - offset }, parts }))
}
