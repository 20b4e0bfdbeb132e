import { isJsonObject } from '@turnstore/core/adapter'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { thoroughness } from '../../../scripts/testing/machine.ts'
import { TurnstoreChats } from '../src/index.ts'
import { changed, messages } from './messages.ts'
import { stores } from './stores.ts'

let count = 0

describe.each(stores)('Messages in the store %s', (name, open) => {
  const numRuns = (name === 'file' || name === 'SQLite' ? 40 : 400) * thoroughness

  it('come back as they were saved, however they change', async () => {
    const store = open()
    const versions = messages.chain(first =>
      changed(first).chain(second => changed(second).map(third => [first, second, third])),
    )
    await fc.assert(
      fc.asyncProperty(versions, async lists => {
        const chats = new TurnstoreChats({ store })
        const chatId = `c${count++}`
        for (const list of lists) {
          await chats.saveMessages(chatId, list)
          expect(await chats.loadMessages(chatId)).toEqual(list)
          const before = await store.loadSession(chatId)
          await chats.saveMessages(chatId, list)
          expect(await store.loadSession(chatId)).toEqual(before)
          const turns = before?.turns ?? []
          expect(turns.slice(0, -1).filter(({ status }) => status === 'running')).toEqual([])
          const openings = turns.slice(1).map(({ items }) => items[0]?.value)
          expect(openings.filter(value => !isJsonObject(value) || value.role !== 'user')).toEqual([])
          expect(new Set(turns.map(({ turnId }) => turnId)).size).toBe(turns.length)
        }
      }),
      { numRuns },
    )
  })

  it('are those up to a message in a fork of it', async () => {
    const store = open()
    await fc.assert(
      fc.asyncProperty(messages, fc.nat(), async (list, at) => {
        const chats = new TurnstoreChats({ store })
        const chatId = `c${count++}`
        await chats.saveMessages(chatId, list)
        const message = list[at % Math.max(1, list.length)]
        if (message === undefined) return
        const forkId = await chats.forkChat(chatId, message.id)
        const end = list.findLastIndex(({ id }) => id === message.id) + 1
        expect(await chats.loadMessages(forkId)).toEqual(list.slice(0, end))
        expect(await chats.loadMessages(chatId)).toEqual(list)
        expect(await store.loadSession(forkId)).toMatchObject({ parentSessionId: chatId })
      }),
      { numRuns: Math.ceil(numRuns / 3) },
    )
  })
})
