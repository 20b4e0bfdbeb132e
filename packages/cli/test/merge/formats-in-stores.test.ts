import { mergeSession, type MergeResult, type SessionRecord, type SessionStore } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { formatByName, syncMessages } from '@turnstore/formats'
import { InMemorySessionStore } from '@turnstore/memory'
import { RedisSessionStore } from '@turnstore/redis'
import { SqliteSessionStore } from '@turnstore/sqlite'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isThorough } from '../../../../scripts/testing/machine.ts'
import { talks } from '../../../formats/test/conversations.ts'
import { fileNatives } from '../../../formats/test/native-files/index.ts'
import { natives } from '../../../formats/test/native.ts'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { readToolFile } from '../../src/input/tool-file.ts'
import { temporaryFolder } from '../turnstore.ts'

/*
 * Conversations of each format, as they are at one moment and later: in each store, what is read again adds nothing, and
 * what has grown ends as if it had been read at once.
 */

const conversations = fc.sample(talks, { numRuns: isThorough ? 20 : 5, seed: 7 })

let server: Server | undefined
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server?.stop())

const stores: [string, () => SessionStore][] = [
  ['memory', () => new InMemorySessionStore()],
  ['SQLite', () => new SqliteSessionStore(':memory:')],
  ['files', () => new FileSessionStore(temporaryFolder())],
  ['Redis', () => new RedisSessionStore({ url: server?.url ?? '', keyPrefix: `${Math.random()}:` })],
]

function withoutTimes({
  createdAt: _created,
  updatedAt: _updated,
  revision: _revision,
  ...rest
}: SessionRecord): unknown {
  return rest
}

describe.each(stores)('in %s', (_name, open) => {
  it.each(natives)('$name', async native => {
    const store = open()
    const sync = (id: string, messages: readonly unknown[]): Promise<MergeResult> =>
      syncMessages(store, id, messages, { format: native.name })
    for (const [index, talk] of conversations.entries()) {
      const messages = native.write(talk)
      const id = `grown-${index}`
      for (let length = 1; length <= messages.length; length++) {
        const list = messages.slice(0, length)
        expect(await sync(id, list)).toEqual({ outcome: length === 1 ? 'added' : 'grown', contradictions: [] })
        expect(await sync(id, list)).toEqual({ outcome: 'unchanged', contradictions: [] })
      }
      const grown = await store.loadSession(id)
      expect(grown?.turns.flatMap(({ items }) => items.map(({ value }) => value))).toEqual(messages)
      const format = formatByName(native.name)
      expect(format?.fromTurns?.(grown?.turns ?? []).messages).toEqual(messages)
      await sync(`once-${index}`, messages)
      expect(grown?.turns).toEqual((await store.loadSession(`once-${index}`))?.turns)
    }
    await store.close()
  })

  it.each(fileNatives)('$name, a file', async native => {
    const store = open()
    const format = formatByName(native.name)
    const source = { size: 0, nameOf: () => 'unnamed' }
    const readInto = async (target: SessionStore, file: readonly unknown[]): Promise<MergeResult[]> => {
      const { sessions, problems } = readToolFile(file, { source, format, workspaceId: undefined })
      expect(problems).toEqual([])
      return Promise.all(sessions.map(session => mergeSession(target, session)))
    }
    for (const talk of conversations) {
      const once = new InMemorySessionStore()
      for (let turns = 1; turns <= talk.turns.length; turns++) {
        const file = native.write([{ ...talk, turns: talk.turns.slice(0, turns) }])
        const outcome = turns === 1 ? 'added' : 'grown'
        for (const result of await readInto(store, file)) expect(result).toEqual({ outcome, contradictions: [] })
        for (const result of await readInto(store, file)) {
          expect(result).toEqual({ outcome: 'unchanged', contradictions: [] })
        }
      }
      await readInto(once, native.write([talk]))
      for (const id of await once.listSessions()) {
        const [grown, whole] = [await store.loadSession(id), await once.loadSession(id)]
        expect(grown && withoutTimes(grown)).toEqual(whole && withoutTimes(whole))
      }
      for (const id of await store.listSessions()) await store.deleteSession(id)
    }
    await store.close()
  })
})
