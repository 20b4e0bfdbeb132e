import type { StoreFolder } from './session-state.js'
import { SessionFile } from './session-file.js'
import type { SessionPaths } from '../folder/layout.js'

/** Sessions kept open, and turns known of them all together, before the one used longest ago is let go. */
const OPEN_SESSIONS = 256
const KNOWN_TURNS = 1_000_000

/** The sessions that a store has open: a bounded number, the one used longest ago goes first. */
export class OpenSessions {
  readonly #files = new Map<string, SessionFile>()

  open(paths: SessionPaths, folder: StoreFolder): SessionFile {
    const key = keyOf(paths)
    const known = this.#files.get(key)
    const file = known ?? new SessionFile(paths, folder)
    this.#files.delete(key)
    this.#files.set(key, file)
    if (known === undefined) this.#letGoOfOldest()
    return file
  }

  /** Whether the session in this place is open and was read. */
  isKnown(paths: SessionPaths): boolean {
    return this.#files.get(keyOf(paths))?.isKnown === true
  }

  /** Waits for what is under way in each, and lets go of all. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.settle()
    this.#files.clear()
  }

  #letGoOfOldest(): void {
    let turns = 0
    for (const file of this.#files.values()) turns += file.weight
    for (const [key, file] of this.#files) {
      if (this.#files.size <= OPEN_SESSIONS && turns <= KNOWN_TURNS) return
      if (!file.isIdle) continue
      turns -= file.weight
      this.#files.delete(key)
      file.release()
    }
  }
}

/** Two sessions may look for their document in one place: `.` for what is escaped there, `%2E` as the reference named it. */
export function keyOf({ document, sessionId }: SessionPaths): string {
  return `${document}\0${sessionId}`
}
