import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type FoundFile, identityOf, isSameFile } from './file-identity.js'

/**
 * A folder that last changed this long ago shows each further change in its time. File systems round that time, usually
 * to milliseconds and to two seconds at most.
 */
const LONG_AGO_NS = 3_000_000_000n

/**
 * Whether any name in the folder of a database was created, removed or given to another file since the last look at its
 * files. One `stat` of the folder replaces one for each file.
 */
export class QuietFolder {
  readonly #folders: readonly string[]
  #quiet: readonly FoundFile[] | null = null

  private constructor(folders: readonly string[]) {
    this.#folders = folders
  }

  /** Null if the database is a link: the file that it leads to may change elsewhere. */
  static of(path: string, file: string): QuietFolder | null {
    const folders = [...new Set([dirname(path), dirname(file)])]
    return join(realpathSync(dirname(path)), basename(path)) === file ? new QuietFolder(folders) : null
  }

  /** Runs `look`, unless nothing can have changed. If it throws, it runs again the next time. */
  unlessQuiet(look: () => void): void {
    // Before the files: a change in between is seen the next time.
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
