import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sessionStoreSuite } from '@turnstore/conformance'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, it } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'
import { damagesIn } from './damages.ts'

const paths = new WeakMap<SqliteSessionStore, string>()

function open(path: string): SqliteSessionStore {
  const store = new SqliteSessionStore(path)
  paths.set(store, path)
  return store
}

function pathOf(store: SqliteSessionStore): string {
  return paths.get(store) ?? ''
}

await sessionStoreSuite({
  describe,
  it,
  thorough: isThorough,
  name: 'SqliteSessionStore',
  open: () => open(join(mkdtempSync(join(tmpdir(), 'turnstore-sqlite-')), 'sessions.db')),
  reopen: store => open(pathOf(store)),
  child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: pathOf(store) }),
  damages: damagesIn(pathOf),
  destroy: store => rmSync(dirname(pathOf(store)), { recursive: true, force: true }),
})
