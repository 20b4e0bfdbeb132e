import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { waitForDescriptor } from './descriptors.js'
import { type FileIdentity, identify, identityOf } from './file-identity.js'
import { isMissing, isOutOfDescriptors } from './system-code.js'

/** Other processes changed the files while they were read, so the parts do not fit together. Read again. */
export class FilesChanged extends Error {
  constructor() {
    super('the files changed while they were read')
  }
}

/** A range of bytes in a file. */
export interface Span {
  readonly offset: number
  readonly length: number
}

/** Does not follow a link, and does not wait for the writer of a FIFO. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Null if there is no such file. */
export async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await waitForDescriptor(async () => {
      try {
        return await open(path, FLAGS)
      } catch (error) {
        // The system reserves a descriptor before it looks for the file.
        if (isOutOfDescriptors(error) && identify(path) === null) return null
        throw error
      }
    })
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** A whole file, or null if there is none. @throws {@link FilesChanged} if it shrank meanwhile */
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

/** @throws {@link FilesChanged} if the file ends before the span does */
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

/**
 * Reads a span of a file synchronously. Returns null if there is no file or `isExpected` rejects it.
 * @throws {@link FilesChanged} if the file ends before the span does
 */
export function readSpanSync(
  path: string,
  { offset, length }: Span,
  isExpected: (identity: FileIdentity) => boolean,
): Buffer | null {
  const descriptor = openSyncOrNull(path)
  if (descriptor === null) return null
  try {
    if (!isExpected(identityOf(fstatSync(descriptor, { bigint: true })))) return null
    const bytes = Buffer.allocUnsafe(length)
    for (let read = 0; read < length;) {
      const bytesRead = readSync(descriptor, bytes, read, length - read, offset + read)
      if (bytesRead === 0) throw new FilesChanged()
      read += bytesRead
    }
    return bytes
  } finally {
    closeSync(descriptor)
  }
}

function openSyncOrNull(path: string): number | null {
  try {
    return openSync(path, FLAGS)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
