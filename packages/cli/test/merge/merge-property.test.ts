import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { decodeSession, encodeSession, type SessionRecord, type SessionStore, mergeSession } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { InMemorySessionStore } from '@turnstore/memory'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { thoroughness } from '../../../../scripts/testing/machine.ts'
import { lostFrom, missingFrom } from './merge-oracle.ts'
import { after, session, steps } from './merge-sessions.ts'

const numRuns = 100 * thoroughness
const timeout = 60_000 + 60 * numRuns

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'turnstore-merge-'))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const stores: [string, () => SessionStore][] = [
  ['memory', () => new InMemorySessionStore()],
  ['SQLite', () => new SqliteSessionStore(join(folder, 'sessions.db'), { durability: 'process-crash' })],
  ['files', () => new FileSessionStore(join(folder, 'files'))],
]

const order = fc.array(fc.nat(2), { minLength: 2, maxLength: 5 })

describe.each(stores)('copies into a target in %s', (_name, open) => {
  let store: SessionStore
  beforeAll(async () => {
    store = open()
    await store.ready()
  })
  afterAll(() => store.close())

  async function stored(): Promise<SessionRecord> {
    const record = await store.loadSession('s')
    if (record === null) throw new Error('the session is gone')
    return record
  }

  /** Copies a session twice. Returns the contradictions. */
  async function copy(incoming: SessionRecord): Promise<readonly string[]> {
    const before = await store.loadSession('s')
    const { contradictions } = await mergeSession(store, incoming)
    const now = await stored()
    expect(lostFrom(before, now)).toEqual([])
    expect(await mergeSession(store, incoming)).toEqual({ outcome: 'unchanged', contradictions })
    expect(await stored()).toEqual(now)
    return contradictions
  }

  it(
    'of independent stages yield their union, in any order and with repetitions',
    async () => {
      await fc.assert(
        fc.asyncProperty(session, steps, steps, order, async (base, one, two, turns) => {
          const stages = [base, after(base, one), after(base, two)]
          await store.deleteSession('s')
          const copied = turns.flatMap(index => stages[index] ?? [])
          for (const stage of copied) expect(await copy(stage)).toEqual([])
          const now = await stored()
          expect(copied.flatMap(stage => missingFrom(stage, now))).toEqual([])
          expect(
            copied
              .map(({ updatedAt }) => updatedAt)
              .toSorted()
              .at(-1),
          ).toBe(now.updatedAt)
        }),
        { numRuns },
      )
    },
    timeout,
  )

  it(
    'of any session with the same id remove nothing',
    async () => {
      const twists = fc.subarray(['Yes', 'Prompt', 'tool of', 'of":"', 'id":"', ':5', 'front', 'success'])
      await fc.assert(
        fc.asyncProperty(session, session, steps, steps, twists, async (mine, theirs, one, two, words) => {
          await store.deleteSession('s')
          await copy(after(mine, one))
          await copy(words.reduce(twisted, after(theirs, two)))
        }),
        { numRuns },
      )
    },
    timeout,
  )
})

/** The same session with one contradicting member. */
function twisted(session: SessionRecord, word: string): SessionRecord {
  const text = JSON.stringify(encodeSession(session))
  const other = word.endsWith('"') || word === ':5' ? `${word}7` : `7${word}`
  const json: unknown = JSON.parse(text.replaceAll(word, other))
  return { ...decodeSession(json), sessionId: 's' }
}
