import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileSessionStore } from '@turnstore/file'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { Child } from '../../../scripts/testing/child.ts'
import { TurnstoreChats } from '../src/index.ts'
import { newFolder } from './stores.ts'

const cwd = fileURLToPath(new URL('../', import.meta.url))
const kinds = [
  ['SQLite', '@turnstore/sqlite', 'SqliteSessionStore', SqliteSessionStore],
  ['file', '@turnstore/file', 'FileSessionStore', FileSessionStore],
] as const

/** Loads, adds an exchange and saves, again if another process was faster. Every third is that of a run. */
const writer = (module: string, name: string, path: string, id: string): string => `
  import { TurnstoreChats } from '@turnstore/ai-sdk'
  import { ${name} } from '${module}'
  const store = new ${name}(${JSON.stringify(path)})
  const chats = new TurnstoreChats({ store })
  const user = id => ({ id, role: 'user', parts: [{ type: 'text', text: id }] })
  const says = id => ({ id, role: 'assistant', parts: [{ type: 'step-start' }, { type: 'text', text: id, state: 'done' }] })
  for (let i = 0; i < 15; i++) {
    const n = '${id}' + i
    if (i % 3 === 0) {
      const run = await chats.recordRun('c', { message: user('u' + n) })
      // Another process may have gone on: then this run is over.
      await run.onEnd({ responseMessage: says('a' + n), isAborted: false }).catch(error => {
        if (error.code !== 'MESSAGE_CONFLICT') throw error
      })
      continue
    }
    for (;;) {
      const chat = await chats.loadChat('c')
      try {
        await chats.saveMessages('c', [...(chat?.messages ?? []), user('u' + n), says('a' + n)], { ifRevision: chat?.revision ?? 0 })
        break
      } catch (error) {
        if (error.code !== 'REVISION_CONFLICT') throw error
      }
    }
  }
  await store.close()`

describe.each(kinds)('Three processes that save to one chat in the store %s', (_name, module, name, Store) => {
  it('lose nothing that was acknowledged', async () => {
    const path = join(newFolder(), 'sessions')
    const ids = ['x', 'y', 'z']
    const children = ids.map(id => Child.run(writer(module, name, path, id), { cwd }))
    await Promise.all(children.map(async child => child.rest()))
    expect(children.map(({ errors }) => errors)).toEqual(['', '', ''])
    const store = new Store(path)
    const messages = await new TurnstoreChats({ store }).loadMessages('c')
    await store.close()
    for (const id of ids) {
      const asked = messages.filter(({ id: each }) => each.startsWith(`u${id}`)).map(each => each.id)
      expect(asked).toEqual(Array.from({ length: 15 }, (_, index) => `u${id}${index}`))
      const answered = messages.filter(({ id: each }) => each.startsWith(`a${id}`)).map(each => each.id)
      const saved = Array.from({ length: 15 }, (_, index) => index).filter(index => index % 3 !== 0)
      expect(saved.filter(index => !answered.includes(`a${id}${index}`))).toEqual([])
    }
  })
})
