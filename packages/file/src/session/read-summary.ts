import type { SessionSummary } from '@turnstore/core'
import { cloneSummary } from '@turnstore/core/adapter'
import { FilesChanged, readWhole } from '../disk/read-file.js'
import { readError } from '../folder/file-errors.js'
import type { Layout, SessionPaths } from '../folder/layout.js'
import { outlineDocument } from '../format/document.js'
import { toPlainObject } from '../format/exact-json.js'
import { catchUp } from './catch-up.js'
import type { TurnIndex } from './turn-index.js'

/** The summary of the session in a document that a listing found, whichever id its name stands for. */
export async function readSummary(paths: SessionPaths, layout: Layout): Promise<SessionSummary | null> {
  const session = (await catchUp(null, paths, layout)) ?? (await catchUp(null, await withOwnId(paths), layout))
  return session === null ? null : plainSummary(session.index)
}

/** The id is not the one that the name suggests if the name is a hash, or one of the reference that looks escaped. */
async function withOwnId(paths: SessionPaths): Promise<SessionPaths> {
  try {
    const read = await readWhole(paths.document)
    return read === null ? paths : { ...paths, sessionId: (await outlineDocument(read.bytes)).head.sessionId }
  } catch (error) {
    if (error instanceof FilesChanged) return paths
    throw readError(error, paths.sessionId, paths.document)
  }
}

/** The summary as a caller gets it. */
export function plainSummary({ summary, hasBigIntegers }: TurnIndex): SessionSummary {
  return hasBigIntegers ? { ...summary, metadata: toPlainObject(summary.metadata) } : cloneSummary(summary)
}
