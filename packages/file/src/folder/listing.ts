import type { DamagedSession, SessionSummary } from '@turnstore/core'
import { damageOf, inScope, isValidId, type Listed, quote, type Scope, TimeSlice } from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { corruptSession, inTwoPlaces, readError } from './file-errors.js'
import type { FoundDocument, Layout } from './layout.js'
import { SummaryCache, versionOf } from './summary-cache.js'

/** Lists the sessions of a folder. Reads only files that changed since the last listing. */
export class Listing {
  readonly #summaries = new SummaryCache()
  readonly #readSummary: (document: FoundDocument, layout: Layout) => Promise<SessionSummary | null>

  constructor(readSummary: (document: FoundDocument, layout: Layout) => Promise<SessionSummary | null>) {
    this.#readSummary = readSummary
  }

  async ids(layout: Layout, scope: Scope): Promise<string[]> {
    // A set: the reference may have left one id in two workspaces.
    const ids = new Set<string>()
    for await (const document of documentsOf(layout, scope)) {
      // No call could name the others; `sessions` reports them.
      if ('code' in document || !isValidId(document.sessionId)) continue
      if (document.isNameCertain) {
        ids.add(document.sessionId)
      } else {
        const listed = await this.#summarise(document, layout)
        // A damaged document in a folder of several workspaces may belong to any of them.
        if (listed !== null && ('code' in listed || inScope(listed, scope))) ids.add(listed.sessionId)
      }
    }
    return [...ids]
  }

  /**
   * The summaries, which the caller must copy before giving them out, and what is damaged. A listing has each
   * id once: if the reference left one in two workspaces, the second is reported as damaged.
   */
  async *sessions(layout: Layout, scope: Scope): AsyncIterable<Listed> {
    const places = new Map<string, string>()
    for await (const found of documentsOf(layout, scope)) {
      const listed = 'code' in found ? found : await this.#summarise(found, layout)
      if (listed === null) continue
      if ('code' in found || 'code' in listed) {
        yield listed
        continue
      }
      const { sessionId } = listed
      const other = places.get(sessionId)
      // If the first is gone, the session was created again meanwhile.
      const isTwice = other !== undefined && identify(other) !== null
      if (!isTwice) places.set(sessionId, found.document)
      yield isTwice ? inTwoPlaces(sessionId, found.document, other) : listed
    }
  }

  async #summarise(document: FoundDocument, layout: Layout): Promise<Listed | null> {
    if (!isValidId(document.sessionId)) return unnameable(document)
    try {
      const version = versionOf(document, document.hasJournal)
      if (version === null) return null
      const known = this.#summaries.get(document, version)
      if (known !== undefined) return known
      const summary = await this.#readSummary(document, layout)
      if (summary !== null) this.#summaries.set(document, version, summary)
      return summary
    } catch (error) {
      const damage = damageOf(document.sessionId, readError(error, document.sessionId, document.document))
      if (damage === null) throw error
      return damage
    }
  }
}

async function* documentsOf(layout: Layout, scope: Scope): AsyncIterable<FoundDocument | DamagedSession> {
  const slice = new TimeSlice()
  for (const document of layout.documents(scope)) {
    yield document
    if (slice.isOver) await slice.yield()
  }
}

/** A document of the reference whose name is not a valid id; it has a control character, for example. */
function unnameable({ name, document }: FoundDocument): DamagedSession {
  const { message } = corruptSession(quote(name), document, 'its name is not a valid session id')
  return { sessionId: quote(name), code: 'CORRUPT_SESSION', message }
}
