import { SessionManager } from '@turnstore/core'
import { RedisSessionStore } from '@turnstore/redis'
import { expect, it, onTestFinished } from 'vitest'
import { converse } from '../../../../scripts/testing/converse.ts'
import { type Server, startServer } from '../servers.js'

/** How often the values of a server, as it would write them to disk, hold a text. Names of keys hold ids of sessions. */
async function occurrences({ admin }: Server, text: string): Promise<number> {
  let found = 0
  for (const key of await admin.keys('*')) {
    const value = await admin.dumpBuffer(key)
    found += value.toString('latin1').split(text).length - 1
  }
  return found
}

it('deleted text is in no value of the server, at once', async () => {
  const server = await startServer({ rdbcompression: 'no' })
  onTestFinished(() => server.stop())
  const store = new RedisSessionStore({ url: server.url })
  onTestFinished(() => store.close())
  for (const id of ['gone-1', 'gone-2', 'kept']) await converse(store, id, `SECRET-${id}`, 7)
  expect(await occurrences(server, 'SECRET-gone')).toBeGreaterThan(100)
  await store.deleteSession('gone-1')
  await new SessionManager(store).rewindSession('gone-2', 0)
  await store.deleteSession('gone-2', { evenIfDamaged: true })
  expect(await occurrences(server, 'SECRET-gone')).toBe(0)
  expect(await occurrences(server, 'SECRET-kept')).toBeGreaterThan(100)
})
