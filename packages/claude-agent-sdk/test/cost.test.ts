import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { SessionStore, StoreOperation } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { InMemorySessionStore } from '@turnstore/memory'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SessionStoreEntry, TurnstoreSessionStore } from '../src/index.ts'
import { asks, calls, gives, key, mode, says } from './entries.ts'
import { newFolder } from './stores.ts'

const LENGTH = 20_000

/** An agent at work: a prompt now and then, and calls with their results, each with what Claude Code notes beside it. */
function work(count: number): SessionStoreEntry[] {
  const about = {
    cwd: '/home/ada/app',
    version: '2.1.332',
    gitBranch: 'main',
    userType: 'external',
    isSidechain: false,
  }
  const entries: SessionStoreEntry[] = []
  for (let step = 0; entries.length < count; step++) {
    const [asked, called, given, said] = ['q', 'c', 'r', 'a'].map(name => `${name}${step}`)
    if (step % 40 === 0) entries.push(asks(asked ?? '', `Step ${step}: look at all of it, please.`))
    entries.push(calls(called ?? '', `call${step}`), gives(given ?? '', called ?? '', `call${step}`), mode('normal'))
    if (step % 3 === 0) entries.push(says(said ?? '', `So far ${step} of them are as they should be.`))
  }
  return entries.slice(0, count).map(each => (each.uuid === undefined ? each : { ...each, ...about }))
}

const kinds: readonly (readonly [string, (onOperation: (operation: StoreOperation) => void) => SessionStore])[] = [
  ['memory', onOperation => new InMemorySessionStore({ onOperation })],
  ['SQLite', onOperation => new SqliteSessionStore(join(newFolder(), 'sessions.db'), { onOperation })],
  ['file', onOperation => new FileSessionStore(newFolder(), { onOperation })],
]

describe.each(kinds)('An append in the store %s', (_name, open) => {
  it('is one write of what is new, and costs the same at entry 20,000 as at entry 1', async () => {
    const operations: StoreOperation[] = []
    const backend = open(operation => void operations.push(operation))
    onTestFinished(async () => backend.close())
    const store = new TurnstoreSessionStore({ store: backend })
    const entries = work(LENGTH + 200)
    // A session of some length, in which one turn has most of the entries.
    const durations: number[][] = [[], []]
    const measure = async (list: readonly SessionStoreEntry[], into: number[] = []): Promise<void> => {
      for (const each of list) {
        const started = performance.now()
        await store.append(key, [each])
        into.push(performance.now() - started)
      }
    }
    await measure(entries.slice(0, 200))
    await measure(entries.slice(200, 400), durations[0])
    for (let at = 400; at < LENGTH; at += 500) await store.append(key, entries.slice(at, Math.min(at + 500, LENGTH)))
    operations.length = 0
    await measure(entries.slice(LENGTH), durations[1])
    expect(operations).toHaveLength(200)
    expect(
      operations.every(
        ({ method, counts }) => method === 'changeSession' && (counts.turns ?? 0) + (counts.parts ?? 0) <= 3,
      ),
    ).toBe(true)
    expect(await store.load(key)).toHaveLength(entries.length)
    const [early = 0, late = 0] = durations.map(list => list.toSorted((a, b) => a - b)[100])
    // Of the median. A cost that grows with the session would be a hundred times as high.
    expect(late / early).toBeLessThan(4)
  })
})

describe('On disk', () => {
  it('a session takes at most three times its JSON in SQLite', async () => {
    const path = join(newFolder(), 'sessions.db')
    const backend = new SqliteSessionStore(path)
    const store = new TurnstoreSessionStore({ store: backend })
    const entries = work(5_000)
    for (let at = 0; at < entries.length; at += 10) await store.append(key, entries.slice(at, at + 10))
    await backend.close()
    const json = entries.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)) + 1, 0)
    expect(statSync(path).size / json).toBeLessThan(3)
  })
})
