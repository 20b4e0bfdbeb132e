import type { SessionPaths } from '../folder/layout.js'
import { SessionFile } from './session-file.js'
import type { StoreFolder } from './session-on-disk.js'

const MAX_SESSIONS = 256
/** Turns and parts in the indexes of all open sessions together. */
const MAX_SIZE = 1_000_000

/** The open sessions of a store. Their number is limited; the one used longest ago is forgotten first. */
export class OpenSessions {
  readonly #files = new Map<string, SessionFile>()

  open(paths: SessionPaths, folder: StoreFolder): SessionFile {
    const known = this.#files.get(paths.key)
    const file = known ?? new SessionFile(paths, folder)
    this.#files.delete(paths.key)
    this.#files.set(paths.key, file)
    if (known === undefined) this.#closeOldest()
    return file
  }

  /** Whether the session at these paths is open and was read. */
  isKnown(paths: SessionPaths): boolean {
    return this.#files.get(paths.key)?.isKnown === true
  }

  /** Waits for work in progress, then forgets all sessions. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.settle()
    this.#files.clear()
  }

  #closeOldest(): void {
    let size = 0
    for (const file of this.#files.values()) size += file.indexedSize
    for (const [key, file] of this.#files) {
      if (this.#files.size <= MAX_SESSIONS && size <= MAX_SIZE) return
      if (!file.isIdle) continue
      size -= file.indexedSize
      this.#files.delete(key)
      file.release()
    }
  }
}
