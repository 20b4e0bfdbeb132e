import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type FoundFile, identityOf, isSameFile } from './file-identity.js'

/**
 * A folder whose entry changed so long ago tells by its time whether it changes again. Systems count in steps, of some
 * milliseconds as a rule and of two seconds at most.
 */
const LONG_AGO_NS = 3_000_000_000n

/**
 * Whether no name in the folder of a database was made, removed or given to another file since its files were last
 * looked at: one look instead of one for each of them.
 */
export class QuietFolder {
  readonly #folders: readonly string[]
  #quiet: readonly FoundFile[] | null = null

  private constructor(folders: readonly string[]) {
    this.#folders = folders
  }

  /** Null where the database is a link: what that leads to may change elsewhere. */
  static of(path: string, file: string): QuietFolder | null {
    const folders = [...new Set([dirname(path), dirname(file)])]
    return join(realpathSync(dirname(path)), basename(path)) === file ? new QuietFolder(folders) : null
  }

  /** Runs `look`, unless nothing can have changed. What it throws makes the next look one at all files again. */
  unlessQuiet(look: () => void): void {
    // Before the files: what changes in between is seen the next time.
    const found = this.#folders.map(identityOf)
    const quiet = this.#quiet
    if (quiet !== null && found.every((folder, index) => isUnchanged(folder, quiet[index]))) return
    this.#quiet = null
    look()
    const now = BigInt(Date.now()) * 1_000_000n
    const settled = found.filter(folder => folder !== undefined && now - folder.ctimeNs > LONG_AGO_NS)
    if (settled.length === found.length) this.#quiet = found.filter(folder => folder !== undefined)
  }
}

function isUnchanged(now: FoundFile | undefined, before: FoundFile | undefined): boolean {
  return now !== undefined && before !== undefined && now.ctimeNs === before.ctimeNs && isSameFile(now, before)
}
