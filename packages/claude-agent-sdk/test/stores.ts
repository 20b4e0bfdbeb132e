import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SessionStore } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { InMemorySessionStore } from '@turnstore/memory'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { onTestFinished } from 'vitest'

/** A new folder, which goes when the test ends. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnstore-agents-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

function closing<Store extends SessionStore>(store: Store): Store {
  onTestFinished(async () => store.close())
  return store
}

/** Each opens an empty store, which is closed when the test ends. */
export const stores: readonly (readonly [string, () => SessionStore])[] = [
  ['memory', () => closing(new InMemorySessionStore())],
  ['SQLite in memory', () => closing(new SqliteSessionStore(':memory:'))],
  ['SQLite', () => closing(new SqliteSessionStore(join(newFolder(), 'sessions.db')))],
  ['file', () => closing(new FileSessionStore(newFolder()))],
]

export function memory(): SessionStore {
  return closing(new InMemorySessionStore())
}
