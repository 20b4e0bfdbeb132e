import { DocumentSessionStore, type Loaded } from '../src/adapter.ts'
import { type Capabilities, decodeSession, encodeSession, type SessionRecord, TurnstoreError } from '../src/index.ts'

/** A minimal store: only the four hooks. */
export class MapStore extends DocumentSessionStore {
  readonly capabilities: Capabilities = {
    durability: 'none',
    sharing: 'process',
    constantAppend: false,
    constantStep: false,
    search: 'scan',
  }
  readonly #texts = new Map<string, { text: string; token: number }>()
  #writes = 0
  /** Called before each write, so that a test can write first. */
  beforeSave: () => Promise<unknown> = async () => {}
  /** Called before each read. */
  beforeRead: () => Promise<unknown> = async () => {}
  /** Ids of damaged sessions. */
  readonly damaged = new Set<string>()

  get ids(): string[] {
    return [...this.#texts.keys()]
  }

  protected async _get(sessionId: string): Promise<Loaded | null> {
    await this.beforeRead()
    if (this.damaged.has(sessionId)) throw new TurnstoreError('CORRUPT_SESSION', `${sessionId} cannot be read`)
    const stored = this.#texts.get(sessionId)
    return stored === undefined ? null : { session: decodeSession(JSON.parse(stored.text)), token: stored.token }
  }

  protected async _put(session: SessionRecord, token: unknown): Promise<boolean> {
    await this.beforeSave()
    if ((this.#texts.get(session.sessionId)?.token ?? null) !== token) return false
    this.#texts.set(session.sessionId, { text: JSON.stringify(encodeSession(session)), token: ++this.#writes })
    return true
  }

  protected async _delete(sessionId: string, token: unknown): Promise<boolean> {
    return (token === null || this.#texts.get(sessionId)?.token === token) && this.#texts.delete(sessionId)
  }

  protected async _ids(scope: string | null | undefined): Promise<string[]> {
    await this.beforeRead()
    return [...this.#texts].flatMap(([sessionId, { text }]) =>
      scope === undefined || decodeSession(JSON.parse(text)).workspaceId === scope ? [sessionId] : [],
    )
  }
}
