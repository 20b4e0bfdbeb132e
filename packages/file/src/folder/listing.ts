import type { DamagedSession, SessionPage, SessionSummary } from '@turnstore/core'
import {
  type CheckedQuery,
  cloneSummary,
  damageOf,
  inScope,
  isValidId,
  type Listed,
  pageOfSummaries,
  quote,
  type Scope,
  TimeSlice,
} from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { corruptSession, inTwoPlaces, readError } from './file-errors.js'
import type { FoundDocument, Layout, SessionPaths } from './layout.js'
import { type Summaries, versionOf } from './summaries.js'

/** A listing of fewer sessions reads them. The kept summaries are those of the whole folder. */
const MANY_SESSIONS = 32

/** Lists the sessions of a folder. Reads only files that changed since the last listing. */
export class Listing {
  readonly #layout: Layout
  readonly #summaries: Summaries
  readonly #readSummary: (document: FoundDocument, layout: Layout) => Promise<SessionSummary | null>

  constructor(
    layout: Layout,
    summaries: Summaries,
    readSummary: (document: FoundDocument, layout: Layout) => Promise<SessionSummary | null>,
  ) {
    this.#layout = layout
    this.#summaries = summaries
    this.#readSummary = readSummary
  }

  async ids(scope: Scope): Promise<string[]> {
    // A set: the reference may have left one id in two workspaces.
    const ids = new Set<string>()
    const slice = new TimeSlice()
    for (const document of this.#layout.documents(scope)) {
      if (slice.isOver) await slice.yield()
      // No call could name the others; `sessions` reports them.
      if ('code' in document || !isValidId(document.sessionId)) continue
      if (document.isNameCertain) {
        ids.add(document.sessionId)
      } else {
        const listed = await this.#summarise(document)
        // A damaged document in a folder of several workspaces may belong to any of them.
        if (listed !== null && ('code' in listed || inScope(listed, scope))) ids.add(listed.sessionId)
      }
    }
    return [...ids]
  }

  /** A page of the summaries in the scope, and what is damaged there. */
  async page(query: CheckedQuery): Promise<SessionPage> {
    const { sessions, damaged } = await this.#all(query.scope)
    const page = await pageOfSummaries(query, sessions)
    // They are shared with the cache.
    const own = { ...page, sessions: page.sessions.map(cloneSummary) }
    return query.after === undefined && damaged.length > 0 ? { ...own, damaged } : own
  }

  /** Has each id once: if the reference left one in two workspaces, the second is reported as damaged. */
  async #all(scope: Scope): Promise<{ sessions: SessionSummary[]; damaged: DamagedSession[] }> {
    this.#summaries.beginListing()
    const slice = new TimeSlice()
    const sessions = new Map<string, { readonly summary: SessionSummary; readonly path: string }>()
    const damaged: DamagedSession[] = []
    const documents: (FoundDocument | DamagedSession)[] = []
    for (const document of this.#layout.documents(scope)) {
      if (slice.isOver) await slice.yield()
      documents.push(document)
    }
    if (documents.length >= MANY_SESSIONS) await this.#summaries.load()
    for (const found of documents) {
      if (slice.isOver) await slice.yield()
      const listed = 'code' in found ? found : (this.#known(found) ?? (await this.#summarise(found)))
      if (listed === null) continue
      if ('code' in found || 'code' in listed) {
        if ('code' in listed) damaged.push(listed)
        continue
      }
      const { sessionId } = listed
      const other = sessions.get(sessionId)?.path
      // If the first is gone, the session was created again meanwhile.
      if (other !== undefined && identify(other) !== null) damaged.push(inTwoPlaces(sessionId, found.document, other))
      else sessions.set(sessionId, { summary: listed, path: found.document })
    }
    this.#summaries.endListing(scope === undefined)
    return { sessions: Array.from(sessions.values(), ({ summary }) => summary), damaged }
  }

  /** The summary of a file that has not changed. Does not wait: most sessions of a listing take this path. */
  #known(document: FoundDocument): SessionSummary | undefined {
    if (!isValidId(document.sessionId)) return undefined
    try {
      const version = versionOf(document, document.hasJournal)
      return version === null ? undefined : this.#summaries.get(document, version)
    } catch {
      // Whoever reads it gets the same error.
      return undefined
    }
  }

  /** After a session was deleted. */
  forget(paths: SessionPaths): void {
    this.#summaries.forget(paths)
  }

  /** Waits until the summaries are written. */
  close(): Promise<void> {
    return this.#summaries.close()
  }

  async #summarise(document: FoundDocument): Promise<Listed | null> {
    if (!isValidId(document.sessionId)) return unnameable(document)
    try {
      const version = versionOf(document, document.hasJournal)
      if (version === null) return null
      const known = this.#summaries.get(document, version)
      if (known !== undefined) return known
      const summary = await this.#readSummary(document, this.#layout)
      // A journal that came meanwhile may be in the summary, and not in the version.
      const isOfVersion =
        document.hasJournal || (identify(document.journal) === null && identify(document.rotated) === null)
      if (summary !== null && isOfVersion) this.#summaries.set(document, version, summary)
      return summary
    } catch (error) {
      const damage = damageOf(document.sessionId, readError(error, document.sessionId, document.document))
      if (damage === null) throw error
      return damage
    }
  }
}

/** A document of the reference whose name is not a valid id; it has a control character, for example. */
function unnameable({ name, document }: FoundDocument): DamagedSession {
  const { message } = corruptSession(quote(name), document, 'its name is not a valid session id')
  return { sessionId: quote(name), code: 'CORRUPT_SESSION', message }
}
