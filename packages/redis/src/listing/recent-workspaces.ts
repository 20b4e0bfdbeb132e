/** The most sessions whose workspace is remembered. */
const MOST = 10_000

/**
 * The workspaces of recently written sessions, so that their indexes can be written during the next change instead of
 * after it. An entry is wrong if the session was deleted and created in another workspace. The scripts return the right
 * workspace.
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
