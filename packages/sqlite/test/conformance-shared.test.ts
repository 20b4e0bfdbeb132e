import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sessionStoreSuite } from '@turnstore/conformance'
import { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { describe, it } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { damagesIn } from './damages.ts'

const paths = new WeakMap<SqliteSessionStore, string>()

function openShared(path: string): SqliteSessionStore {
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  const store = new SqliteSessionStore(database)
  paths.set(store, path)
  return store
}

const pathOf = (store: SqliteSessionStore): string => paths.get(store) ?? ''

// Only the groups that depend on the handle. conformance.test.ts runs all of them on the same SQL.
const groups: NonNullable<Parameters<typeof sessionStoreSuite>[0]['groups']> = [
  'closing',
  'change',
  'retries',
  'concurrency',
  'deleting',
  ...(isThorough ? (['model'] as const) : []),
]

await sessionStoreSuite({
  describe,
  it,
  // The processes that are killed open the database by path, so `crash` would be the same.
  groups: [...groups, 'processes', 'damage'],
  name: 'SqliteSessionStore on a shared handle',
  open: () => openShared(join(mkdtempSync(join(tmpdir(), 'turnstore-sqlite-')), 'sessions.db')),
  reopen: store => openShared(pathOf(store)),
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
