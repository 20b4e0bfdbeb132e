import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SessionManager } from '@turnstore/core'
import { FileSessionStore } from '@turnstore/file'
import { expect, it } from 'vitest'
import { converse } from '../../../../scripts/testing/converse.ts'
import { TestFolder } from '../../../../scripts/testing/test-folder.ts'

const folder = new TestFolder('file')

/** How often the files of a folder, and their names, hold a text. */
function occurrences(base: string, text: string): number {
  return readdirSync(base, { recursive: true, withFileTypes: true }).reduce((sum, entry) => {
    const content = entry.isFile() ? readFileSync(join(entry.parentPath, entry.name)).toString('latin1') : ''
    return sum + `${entry.name}${content}`.split(text).length - 1
  }, 0)
}

it('deleted text is in no file, at once', async () => {
  const base = folder.path('sessions')
  const store = new FileSessionStore(base)
  for (const id of ['gone-1', 'gone-2', 'kept']) await converse(store, id, `SECRET-${id}`, 7)
  expect(occurrences(base, 'SECRET-gone')).toBeGreaterThan(100)
  await store.deleteSession('gone-1')
  expect(occurrences(base, 'SECRET-gone-1')).toBe(0)
  await new SessionManager(store).rewindSession('gone-2', 0)
  await store.deleteSession('gone-2')
  await store.close()
  expect(occurrences(base, 'SECRET-gone')).toBe(0)
  expect(occurrences(base, 'SECRET-kept')).toBeGreaterThan(100)
})

it('nor in what listings keep on disk, whoever listed, and whatever they list later', async () => {
  const base = folder.path('sessions')
  const store = new FileSessionStore(base)
  const other = new FileSessionStore(base)
  for (let index = 0; index < 100; index++) {
    const prompt = `SECRET-${index % 2 === 0 ? 'gone' : 'kept'}-${index}`
    const session = { sessionId: `s${index}`, workspaceId: index < 60 ? 'a' : 'b', turns: [{ turnId: 't', prompt }] }
    await store.saveSession({ ...session, metadata: { title: prompt } })
  }
  await sleep(100) // What changed just now is not kept.
  for (const each of [store, other]) await each.querySessions()
  const summaries = join(base, '.turnstore', 'summaries')
  await expect.poll(() => existsSync(summaries)).toBe(true)
  expect(readFileSync(summaries, 'utf8')).toContain('SECRET-gone')
  for (let index = 0; index < 100; index += 2) await store.deleteSession(`s${index}`)
  expect(occurrences(base, 'SECRET-gone')).toBe(0)
  // The other handle has listed all, and lists one workspace now.
  for (let index = 0; index < 50; index++) {
    await store.saveSession({
      sessionId: `new${index}`,
      workspaceId: 'b',
      turns: [{ turnId: 't', prompt: 'SECRET-kept' }],
    })
  }
  await sleep(100)
  await other.querySessions({ workspaceId: 'b' })
  await other.close()
  expect(readFileSync(summaries, 'utf8')).toContain('SECRET-kept')
  expect(occurrences(base, 'SECRET-gone')).toBe(0)
  await store.querySessions()
  await store.close()
  expect(readFileSync(summaries, 'utf8')).toContain('SECRET-kept')
  expect(occurrences(base, 'SECRET-gone')).toBe(0)
})
