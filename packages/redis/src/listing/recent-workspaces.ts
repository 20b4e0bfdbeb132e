/** Sessions whose workspace is remembered. */
const MOST = 10_000

/**
 * The workspaces of sessions that were written lately, so that their indexes can be written beside the
 * next change and not behind it. It may be wrong, when a session was deleted and made anew: scripts say
 * what is right.
 */
export class RecentWorkspaces {
  readonly #workspaces = new Map<string, string | null>()

  get(sessionId: string): string | null | undefined {
    return this.#workspaces.get(sessionId)
  }

  set(sessionId: string, workspaceId: string | null): void {
    this.#workspaces.delete(sessionId)
    this.#workspaces.set(sessionId, workspaceId)
    if (this.#workspaces.size <= MOST) return
    const [oldest] = this.#workspaces.keys()
    if (oldest !== undefined) this.#workspaces.delete(oldest)
  }

  delete(sessionId: string): void {
    this.#workspaces.delete(sessionId)
  }
}
