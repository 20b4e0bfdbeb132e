import type { SessionSummary } from '@turnstore/core'
import { identify } from '../disk/file-identity.js'
import { RecentMap } from './recent-map.js'
import type { SessionPaths } from './layout.js'

/** Some 100 MB at half a kilobyte each, and far above the number of files that a folder serves well. */
const CACHED = 200_000

/** Summaries by the identity of the files that they were read from: a listing looks at a file and reads none. */
export class SummaryCache {
  readonly #known = new RecentMap<{ readonly version: string; readonly summary: SessionSummary }>(CACHED)

  /** The summary if it is that of the files as they are. The caller copies what he gives away. */
  get(paths: SessionPaths, version: string): SessionSummary | undefined {
    const known = this.#known.get(paths.document)
    return known?.version === version ? known.summary : undefined
  }

  set(paths: SessionPaths, version: string, summary: SessionSummary): void {
    this.#known.set(paths.document, { version, summary })
  }
}

/** What tells that nothing of a session has changed; null where it is gone. */
export function versionOf(paths: SessionPaths, mayHaveJournal: boolean): string | null {
  const document = identify(paths.document)
  if (document === null) return null
  const journals = mayHaveJournal ? [identify(paths.journal)?.version, identify(paths.rotated)?.version] : []
  return [document.version, ...journals].join(' ')
}
