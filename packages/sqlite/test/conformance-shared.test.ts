import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sessionStoreSuite } from '@turnstore/conformance'
import { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { describe, it } from 'vitest'
import { damagesIn } from './damages.ts'

const paths = new WeakMap<SqliteSessionStore, string>()

function lend(path: string): SqliteSessionStore {
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  const store = new SqliteSessionStore(database)
  paths.set(store, path)
  return store
}

const pathOf = (store: SqliteSessionStore): string => paths.get(store) ?? ''

// What a transaction, a handle and a database in memory have to do with; the same SQL is held to the rest by path.
const groups: NonNullable<Parameters<typeof sessionStoreSuite>[0]['groups']> = [
  'closing',
  'change',
  'retries',
  'model',
  'concurrency',
  'deleting',
]

await sessionStoreSuite({
  describe,
  it,
  // Who is killed opened it by path, so a crash is the same with a handle that was lent beside it.
  groups: [...groups, 'processes', 'damage'],
  name: 'SqliteSessionStore on a lent handle',
  open: () => lend(join(mkdtempSync(join(tmpdir(), 'turnstore-sqlite-')), 'sessions.db')),
  reopen: store => lend(pathOf(store)),
  child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: pathOf(store) }),
  damages: damagesIn(pathOf),
  destroy: store => rmSync(dirname(pathOf(store)), { recursive: true, force: true }),
})

await sessionStoreSuite({
  describe,
  it,
  groups,
  name: 'SqliteSessionStore in memory',
  open: () => new SqliteSessionStore(':memory:'),
})
