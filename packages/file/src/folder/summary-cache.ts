import { RecentMap } from '@turnstore/core/adapter'
import type { SessionSummary } from '@turnstore/core'
import { identify } from '../disk/file-identity.js'
import type { SessionPaths } from './layout.js'

/** About 100 MB at half a kilobyte each, and far more sessions than a folder serves well. */
const CACHED = 200_000

/** Summaries by the version of the files that they were read from, so that a listing reads only changed files. */
export class SummaryCache {
  readonly #known = new RecentMap<{ readonly version: string; readonly summary: SessionSummary }>(CACHED)

  /** The summary, if the files still have this version. The caller must copy it before giving it out. */
  get(paths: SessionPaths, version: string): SessionSummary | undefined {
    const known = this.#known.get(paths.document)
    return known?.version === version ? known.summary : undefined
  }

  set(paths: SessionPaths, version: string, summary: SessionSummary): void {
    this.#known.set(paths.document, { version, summary })
  }
}

/** Changes with every change of the session's files. Null if there is no document. */
export function versionOf(paths: SessionPaths, mayHaveJournal: boolean): string | null {
  const document = identify(paths.document)
  if (document === null) return null
  const journals = mayHaveJournal ? [identify(paths.journal)?.version, identify(paths.rotated)?.version] : []
  return [document.version, ...journals].join(' ')
}
