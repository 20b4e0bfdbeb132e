import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileSessionStore } from '@turnstore/file'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { Child } from '../../../scripts/testing/child.ts'
import { TurnstoreSessionStore } from '../src/index.ts'
import { key } from './entries.ts'
import { newFolder } from './stores.ts'

const cwd = fileURLToPath(new URL('../', import.meta.url))
const kinds = [
  ['SQLite', '@turnstore/sqlite', 'SqliteSessionStore', SqliteSessionStore],
  ['file', '@turnstore/file', 'FileSessionStore', FileSessionStore],
] as const

/** Appends prompts of one writer, each with an entry without a uuid that is the same for all. */
const writer = (module: string, name: string, path: string, id: string): string => `
  import { TurnstoreSessionStore } from '@turnstore/claude-agent-sdk'
  import { ${name} } from '${module}'
  const store = new ${name}(${JSON.stringify(path)})
  const foldSessionSummary = (previous, { sessionId }, entries, { mtime }) =>
    ({ sessionId, mtime, data: { count: (previous?.data.count ?? 0) + entries.length } })
  const sessions = new TurnstoreSessionStore({ store, foldSessionSummary })
  for (let i = 0; i < 15; i++) {
    const uuid = '${id}' + i
    const message = { role: 'user', content: uuid }
    await sessions.append(${JSON.stringify(key)}, [
      { type: 'user', uuid, sessionId: 's', timestamp: new Date().toISOString(), message },
      { type: 'mode', mode: 'normal' },
    ])
    await sessions.append(${JSON.stringify(key)}, [{ type: 'mode', mode: 'normal' }])
  }
  await store.close()`

describe.each(kinds)('Three processes that append to one session in the store %s', (_name, module, name, Store) => {
  it('lose nothing, and keep the order of each', async () => {
    const path = join(newFolder(), 'store')
    const ids = ['a', 'b', 'c']
    const children = ids.map(id => Child.run(writer(module, name, path, id), { cwd }))
    for (const child of children) {
      await child.rest()
      expect(child.errors).toBe('')
    }
    const backend = new Store(path)
    const sessions = new TurnstoreSessionStore({ store: backend })
    const entries = (await sessions.load(key)) ?? []
    expect(entries).toHaveLength(3 * 15 * 3)
    for (const id of ids) {
      const own = entries.flatMap(({ uuid = '' }) => (uuid.startsWith(id) ? [uuid] : []))
      expect(own).toEqual(Array.from({ length: 15 }, (_, index) => `${id}${index}`))
    }
    expect(await sessions.listSessionSummaries(key.projectKey)).toMatchObject([{ data: { count: entries.length } }])
    await backend.close()
  })
})
