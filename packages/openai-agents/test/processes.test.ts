import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileSessionStore } from '@turnstore/file'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it } from 'vitest'
import { Child } from '../../../scripts/testing/child.ts'
import { TurnstoreSession } from '../src/index.ts'
import { newFolder } from './stores.ts'

const cwd = fileURLToPath(new URL('../', import.meta.url))
const kinds = [
  ['SQLite', '@turnstore/sqlite', 'SqliteSessionStore', SqliteSessionStore],
  ['file', '@turnstore/file', 'FileSessionStore', FileSessionStore],
] as const

/** Adds exchanges of one writer, whose call and result come in calls of their own. */
const writer = (module: string, name: string, path: string, id: string): string => `
  import { TurnstoreSession } from '@turnstore/openai-agents'
  import { ${name} } from '${module}'
  const store = new ${name}(${JSON.stringify(path)})
  const session = new TurnstoreSession({ store, sessionId: 's' })
  for (let i = 0; i < 15; i++) {
    const callId = '${id}' + i
    await session.addItems([{ type: 'message', role: 'user', content: callId }])
    await session.addItems([{ type: 'function_call', callId, name: 'f', arguments: '{}', status: 'completed' }])
    await session.addItems([{ type: 'function_call_result', callId, name: 'f', status: 'completed', output: { type: 'text', text: callId } }])
  }
  await store.close()`

describe.each(kinds)('Two processes that add to one session in the store %s', (_name, module, name, Store) => {
  it('lose nothing, and every call is joined with its result', async () => {
    const path = join(newFolder(), 'sessions')
    const children = ['a', 'b'].map(id => Child.run(writer(module, name, path, id), { cwd }))
    await Promise.all(children.map(async child => child.rest()))
    expect(children.map(({ errors }) => errors)).toEqual(['', ''])
    const store = new Store(path)
    const items = await new TurnstoreSession({ store, sessionId: 's' }).getItems()
    const turns = (await store.loadSession('s'))?.turns ?? []
    await store.close()
    expect(items).toHaveLength(2 * 15 * 3)
    for (const id of ['a', 'b']) {
      const own = items.filter(item => new RegExp(`"${id}\\d`).test(JSON.stringify(item))).map(({ type }) => type)
      expect(own).toEqual(Array.from({ length: 15 }, () => ['message', 'function_call', 'function_call_result']).flat())
    }
    const calls = turns.flatMap(({ toolCalls }) => toolCalls)
    expect(calls.filter(({ callId, result }) => callId !== result)).toEqual([])
    expect(calls).toHaveLength(30)
  })
})
