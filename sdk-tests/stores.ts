import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SessionStore } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { InMemorySessionStore } from '@turnstore/memory'
import { RedisSessionStore } from '@turnstore/redis'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type Server, startServer } from '../packages/redis/test/servers.ts'

/** A new folder, which goes when the test ends. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnstore-sdks-'))
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
  ['SQLite', () => closing(new SqliteSessionStore(join(newFolder(), 'sessions.db')))],
  ['file', () => closing(new FileSessionStore(newFolder()))],
  ['Redis', () => closing(new RedisSessionStore({ url: redisUrl(), keyPrefix: `${prefixes++}:` }))],
]

export function memory(): SessionStore {
  return closing(new InMemorySessionStore())
}

let prefixes = 0
let server: Server | null = null

/** Of a server that ends with the tests of the file. */
export function redisUrl(): string {
  if (server === null) throw new Error('the server of the tests has not started')
  return server.url
}

beforeAll(async () => {
  server = await startServer()
})

afterAll(async () => server?.stop())
