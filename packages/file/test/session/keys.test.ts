import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import type { ChangeResult } from '@turnstore/core'
import { expect, it } from 'vitest'
import { at } from '../../../../scripts/testing/sessions.ts'
import type { FileSessionStore } from '../../src/index.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

/** Alters nothing, so all have one revision. */
const nothing = (store: FileSessionStore, key: number): Promise<ChangeResult> =>
  store.changeSession('s', { updatedAt: at }, { idempotencyKey: `k${key}` })

it('a journal that a crash left beside its document brings back no key that was forgotten, and drops none', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  for (let key = 1; key <= 100; key++) await nothing(store, key)
  copyFileSync(folder.path('s.journal'), folder.path('copy'))
  for (let key = 101; key <= 300; key++) await nothing(store, key)
  await store.close()
  copyFileSync(folder.path('copy'), folder.path('s.rotated'))
  const reader = folder.open()
  for (let key = 45; key <= 300; key++) expect([key, (await nothing(reader, key)).replayed]).toEqual([key, true])
  expect((await nothing(reader, 1)).replayed).toBeUndefined()
  expect((await nothing(reader, 1)).replayed).toBe(true)
  await reader.close()
  expect(readdirSync(folder.base)).not.toContain('s.rotated')
  const after = folder.open()
  expect((await nothing(after, 46)).replayed).toBe(true)
  expect((await nothing(after, 45)).replayed).toBeUndefined()
})

it('a key costs a record in the journal, and one that is known costs nothing', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  await nothing(store, 1)
  const journal = readFileSync(folder.path('s.journal'), 'latin1')
  await nothing(store, 1)
  expect(readFileSync(folder.path('s.journal'), 'latin1')).toBe(journal)
  expect((await store.loadSession('s'))?.revision).toBe(1)
})
