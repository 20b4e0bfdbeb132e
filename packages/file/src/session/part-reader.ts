import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Span } from '../format/document.js'
import { isMissing, isOutOfDescriptors } from '../disk/system-code.js'
import { waitForDescriptor, withDescriptor } from '../disk/descriptors.js'
import { type FileIdentity, identify, identityOf } from '../disk/file-identity.js'
import type { JournalFile, RecordSpan, TurnIndex, TurnPlace } from './turn-index.js'
import type { SessionPaths } from '../folder/layout.js'

/** Thrown when what was read does not fit together, as it may while others write: look again. */
export class FilesChanged extends Error {
  constructor() {
    super('the files moved while they were read')
  }
}

/** A span of the document, or the payload of a record. */
export type Part = Span | RecordSpan

/** A link is not followed, and a FIFO does not make us wait for a writer. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Parts that stand closer than this are read together. */
const GAP_BYTES = 64 * 1024

/** So much is read without letting others run: four calls of microseconds, where each hop to another thread takes tens. */
const SMALL_BYTES = 128 * 1024

/** Read at once at the most. */
const CHUNK_BYTES = 8 * 1024 * 1024

/**
 * The files of one session, open for reading parts of them, each held to be the very file that the
 * parts were found in, wherever a compaction may have moved it since.
 */
export class PartReader {
  readonly document: TurnIndex['document']
  readonly #paths: SessionPaths
  readonly #handles = new Map<JournalFile | 'document', FileHandle>()
  readonly #texts = new Map<Part, string>()

  constructor(document: TurnIndex['document'], paths: SessionPaths) {
    this.document = document
    this.#paths = paths
  }

  /** Reads all parts of these places, neighbours together. @throws {@link FilesChanged} */
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
          group.span.length <= SMALL_BYTES
            ? await waitForDescriptor(async () => readNow(file, group.span, this.#paths, this.document.version))
            : await readSpan(await this.#handle(file), group.span)
        for (const part of group.parts) {
          const start = part.offset - group.span.offset
          this.#texts.set(part, bytes.toString('utf8', start, start + part.length))
        }
      }
    }
  }

  /** A part that was loaded. */
  text(part: Part): string {
    const text = this.#texts.get(part)
    if (text === undefined) throw new FilesChanged()
    return text
  }

  /** Bytes of the document, as they are. */
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
    for (const path of file === 'document' ? [this.#paths.document] : [file.path, this.#paths.journal, this.#paths.rotated]) {
      const handle = await openOrNull(path)
      if (handle === null) continue
      const identity = identityOf(await handle.stat({ bigint: true }))
      if (isItself(file, identity, this.#paths, this.document.version)) {
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

/** Null where there is no such file. */
export async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await waitForDescriptor(async () => {
      try {
        return await open(path, READ)
      } catch (error) {
        // The system looks for a descriptor before it looks for the file.
        if (isOutOfDescriptors(error) && identify(path) === null) return null
        throw error
      }
    })
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** A whole file, null where there is none. @throws {@link FilesChanged} where it changed meanwhile */
export async function readWhole(path: string): Promise<{ bytes: Buffer; identity: FileIdentity } | null> {
  const handle = await openOrNull(path)
  if (handle === null) return null
  try {
    const identity = identityOf(await handle.stat({ bigint: true }))
    if (!identity.isFile) throw Object.assign(new Error('not a regular file'), { code: 'NOT_A_FILE' })
    return { bytes: await readSpan(handle, { offset: 0, length: identity.size }), identity }
  } finally {
    await handle.close()
  }
}

/** @throws {@link FilesChanged} where there are not so many bytes */
export async function readSpan(handle: FileHandle, { offset, length }: Span): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let read = 0
  while (read < length) {
    const { bytesRead } = await handle.read(bytes, read, length - read, offset + read)
    if (bytesRead === 0) throw new FilesChanged()
    read += bytesRead
  }
  return bytes
}

/** Once the document has been replaced, a journal of its time may be gone, and its inode another's. */
function isItself(file: JournalFile | 'document', identity: FileIdentity, paths: SessionPaths, documentVersion: string): boolean {
  if (file === 'document') return identity.version === documentVersion
  return identity.file === file.identity && identify(paths.document)?.version === documentVersion
}

/** Reads a stretch of a file, or all of it, without letting others run. @throws {@link FilesChanged} */
export function readNow(
  file: JournalFile | 'document',
  span: Span | 'whole',
  paths: SessionPaths,
  documentVersion: string,
): Buffer {
  for (const path of file === 'document' ? [paths.document] : [file.path, paths.journal, paths.rotated]) {
    const descriptor = openNowOrNull(path)
    if (descriptor === null) continue
    try {
      const identity = identityOf(fstatSync(descriptor, { bigint: true }))
      if (!isItself(file, identity, paths, documentVersion)) continue
      const { offset, length } = span === 'whole' ? { offset: 0, length: identity.size } : span
      const bytes = Buffer.allocUnsafe(length)
      for (let read = 0; read < length; ) {
        const bytesRead = readSync(descriptor, bytes, read, length - read, offset + read)
        if (bytesRead === 0) throw new FilesChanged()
        read += bytesRead
      }
      return bytes
    } finally {
      closeSync(descriptor)
    }
  }
  throw new FilesChanged()
}

function openNowOrNull(path: string): number | null {
  try {
    return withDescriptor(() => openSync(path, READ))
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
