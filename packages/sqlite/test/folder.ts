import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SqliteSessionStore, type SqliteSessionStoreOptions } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import type { Child } from '../../../scripts/testing/child.ts'
import { TestFolder } from '../../../scripts/testing/test-folder.ts'

export interface RunOptions {
  /** What comes before `node` on the command line: `strace …`, `prlimit …`. */
  readonly under?: readonly string[]
  readonly path?: string
  readonly options?: SqliteSessionStoreOptions
  /** The user id that the process changes to; needs root. */
  readonly uid?: number
}

/** A folder with a database for each test. */
export class Folder extends TestFolder {
  readonly #handles: Database.Database[] = []

  constructor() {
    super('sqlite', () => {
      for (const handle of this.#handles.splice(0)) handle.close()
    })
  }

  get database(): string {
    return this.path('sessions.db')
  }

  open(
    options: SqliteSessionStoreOptions = {},
    source: string | Database.Database = this.database,
  ): SqliteSessionStore {
    return this.keep(new SqliteSessionStore(source, options))
  }

  /** Opens a store, does one thing with it, and closes it again. */
  async once<T>(work: (store: SqliteSessionStore) => Promise<T>, path?: string): Promise<T> {
    const store = this.open({}, path)
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  /** A handle for the test. */
  handle(path: string = this.database, options: Database.Options = {}): Database.Database {
    const handle = new Database(path, options)
    this.#handles.push(handle)
    return handle
  }

  /** A handle to share with a store, whatever its journal mode and `timeoutMs`. */
  shared(path: string = this.database, options: Database.Options = {}): Database.Database {
    const handle = this.handle(path, { timeout: 0, ...options })
    handle.pragma('synchronous = EXTRA')
    return handle
  }

  /** Another process that runs `code` with a `store` on the same database, and with the driver. */
  run(code: string, { under = [], path = this.database, options = {}, uid }: RunOptions = {}): Child {
    const module = `import { SqliteSessionStore } from '@turnstore/sqlite'
      import Database from 'better-sqlite3'
      const path = ${JSON.stringify(path)}
      const store = new SqliteSessionStore(path, ${JSON.stringify(options)})
      ${uid === undefined ? '' : `process.setgid(${uid}); process.setuid(${uid})`}
      ${code}`
    return this.start(module, { cwd: dirname(dirname(fileURLToPath(import.meta.url))), under })
  }

  /** Another process that holds the write lock until it receives a line. */
  async holder(): Promise<Child> {
    const child = this.run(`const database = new Database(path)
      database.exec('BEGIN IMMEDIATE')
      say('held')
      for await (const _line of createInterface(process.stdin)) break
      database.exec('ROLLBACK')
      say('free')
      process.exit()`)
    if ((await child.line()) !== 'held') throw new Error(child.errors)
    return child
  }
}
