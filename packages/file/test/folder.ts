import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Child } from '../../../scripts/testing/child.ts'
import { TestFolder } from '../../../scripts/testing/test-folder.ts'
import { FileSessionStore, type FileSessionStoreOptions } from '../src/index.ts'

export interface RunOptions {
  /** What precedes `node` on the command line: `strace …`, `prlimit …`. */
  readonly under?: readonly string[]
  readonly base?: string
  readonly options?: FileSessionStoreOptions
  readonly env?: Readonly<Record<string, string>>
  /** The account that it switches to. Needs root. */
  readonly uid?: number
}

/** A new folder of sessions for each test. */
export class Folder extends TestFolder {
  constructor() {
    super('file')
  }

  open(options: FileSessionStoreOptions = {}, base: string = this.base): FileSessionStore {
    return this.keep(new FileSessionStore(base, options))
  }

  /** Opens a store, does one thing with it, and closes it again. */
  async once<T>(work: (store: FileSessionStore) => Promise<T>): Promise<T> {
    const store = this.open()
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  /** Another process that runs `code` with a `store` on the same folder. */
  run(code: string, { under = [], base = this.base, options = {}, env = {}, uid }: RunOptions = {}): Child {
    const program = `import { FileSessionStore } from '@turnstore/file'
      import { SessionManager } from '@turnstore/core'
      const base = ${JSON.stringify(base)}
      const open = () => new FileSessionStore(base, ${JSON.stringify(options)})
      const store = open()
      const manager = new SessionManager(store)
      ${uid === undefined ? '' : `process.setgid(${uid}); process.setuid(${uid})`}
      ${code}`
    return this.start(program, { cwd: dirname(dirname(fileURLToPath(import.meta.url))), under, env })
  }
}
