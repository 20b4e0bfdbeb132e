import { type Capabilities, decodeSession, encodeSession, type SessionRecord, TurnstoreError } from '@turnstore/core'
import { DocumentSessionStore, inScope, type Loaded, type Scope } from '@turnstore/core/adapter'

interface Row {
  readonly sessionId: string
  readonly workspaceId: string | null
  readonly text: string
  readonly version: number
}

/** What several handles share: rows of text with a version, as a table or a bucket has them. */
export class PlainBackend {
  readonly rows = new Map<string, Row>()
  #versions = 0

  nextVersion(): number {
    return ++this.#versions
  }
}

/**
 * The least that an adapter may be: four hooks over a map of JSON texts. Compare-and-set is its only
 * means against others, and each call takes a while, so that races are real. That it passes the
 * suite shows that the defaults of the base class keep the contract by themselves.
 */
export class PlainStore extends DocumentSessionStore {
  readonly capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: false,
    constantStep: false,
    search: 'scan',
  }
  readonly #backend: PlainBackend

  constructor(backend: PlainBackend = new PlainBackend()) {
    super()
    this.#backend = backend
  }

  /** Cuts the text of a session, as a crash of a backend may. */
  damage(sessionId: string): void {
    const row = this.#backend.rows.get(sessionId)
    if (row !== undefined) this.#backend.rows.set(sessionId, { ...row, text: row.text.slice(0, -20) })
  }

  reopen(): PlainStore {
    return new PlainStore(this.#backend)
  }

  protected async _get(sessionId: string): Promise<Loaded | null> {
    await latency()
    const row = this.#backend.rows.get(sessionId)
    await latency()
    return row === undefined ? null : { session: decode(sessionId, row.text), token: row.version }
  }

  protected async _put(session: SessionRecord, token: unknown): Promise<boolean> {
    const text = JSON.stringify(encodeSession(session))
    await latency()
    const { rows } = this.#backend
    if (token !== (rows.get(session.sessionId)?.version ?? null)) return false
    const { sessionId, workspaceId } = session
    rows.set(sessionId, { sessionId, workspaceId, text, version: this.#backend.nextVersion() })
    await latency()
    return true
  }

  protected async _delete(sessionId: string, token: unknown): Promise<boolean> {
    await latency()
    const { rows } = this.#backend
    return (token === null || rows.get(sessionId)?.version === token) && rows.delete(sessionId)
  }

  protected async _ids(scope: Scope): Promise<string[]> {
    await latency()
    return [...this.#backend.rows.values()]
      .filter(({ workspaceId }) => inScope({ workspaceId }, scope))
      .map(({ sessionId }) => sessionId)
  }
}

function decode(sessionId: string, text: string): SessionRecord {
  try {
    return decodeSession(JSON.parse(text))
  } catch {
    throw new TurnstoreError('CORRUPT_SESSION', `The row of session ${sessionId} is no session`)
  }
}

/** Some turns of the event loop, never the same number for all. */
async function latency(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 4); turns > 0; turns--) {
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  }
}
