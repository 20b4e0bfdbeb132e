import type { SessionSummary } from '@turnstore/core'
import { cloneSummary } from '@turnstore/core/adapter'
import type { Layout, SessionPaths } from '../folder/layout.js'
import { toPlainObject } from '../format/exact-json.js'
import { catchUp } from './catch-up.js'
import type { TurnIndex } from './turn-index.js'

/** The summary of the session in a document that a listing found, whichever id its name stands for. */
export async function readSummary(paths: SessionPaths, layout: Layout): Promise<SessionSummary | null> {
  const session = await catchUp(null, paths, layout, true)
  return session === null ? null : plainSummary(session.index)
}

/** The summary as a caller gets it. */
export function plainSummary({ summary, hasBigIntegers }: TurnIndex): SessionSummary {
  return hasBigIntegers ? { ...summary, metadata: toPlainObject(summary.metadata) } : cloneSummary(summary)
}
