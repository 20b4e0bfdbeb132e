import fs, { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, describe, expect, it } from 'vitest'
import type { SessionChange } from '@turnstore/core'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

/*
 * A journal that is removed leaves its inode to the next file, and a reader takes no lock: whatever he
 * knows of a journal may be of another than the one that he finds. To write a file in its place, without
 * replacing it, gives another journal the same inode on every file system.
 */

const folder = new Folder()
const document = (): string => folder.path('s.json')
const journal = (): string => folder.path('s.journal')

const realLook = fs.lstatSync

afterEach(() => {
  lookWith(looked)
})

function lookWith(look: typeof looked): void {
  Object.defineProperty(fs, 'lstatSync', { value: look, configurable: true, writable: true })
  syncBuiltinESMExports()
}

type LookOptions = fs.StatSyncOptions & { bigint: true; throwIfNoEntry: false }

function looked(path: fs.PathLike, options: LookOptions): fs.BigIntStats | undefined {
  return realLook(path, options)
}

/** Does something the moment before a session's file is looked at for the nth time. */
function beforeLook(nth: number, work: () => void): void {
  let looks = 0
  lookWith((path, options) => {
    if (String(path).startsWith(folder.path('s.')) && ++looks === nth) work()
    return looked(path, options)
  })
}

/** What another process leaves that goes on from the files that stand here: its document and its journal. */
async function after(...changes: SessionChange[]): Promise<{ document: Buffer; journal: Buffer }> {
  const base = folder.path(`other-${fs.readdirSync(folder.base).length}`)
  mkdirSync(base)
  for (const file of ['s.json', 's.journal']) {
    if (existsSync(folder.path(file))) copyFileSync(folder.path(file), `${base}/${file}`)
  }
  const other = folder.open({}, base)
  for (const change of changes) await other.changeSession('s', change)
  return { document: readFileSync(`${base}/s.json`), journal: readFileSync(`${base}/s.journal`) }
}

function replaceDocument(bytes: Buffer): void {
  writeFileSync(folder.path('new'), bytes)
  renameSync(folder.path('new'), document())
}

const rewind: SessionChange = { keepTurns: 0, updatedAt: at }
const long = (turnId: string): SessionChange => ({ appendTurns: [{ turnId, prompt: 'x'.repeat(700) }], updatedAt: at })

describe('a journal that was removed, and another with its inode', () => {
  it.each([
    ['longer, so that what was read ends within a record', [rewind, long('b1'), append('b2')], ['b1', 'b2']],
    ['longer, so that what was read ends with a record', [rewind, append('b'), append('c')], ['b', 'c']],
    ['as long', [rewind, append('b')], ['b']],
  ])('is told from it by a handle that knew the one before (%s)', async (_name, changes, expected) => {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
    await writer.changeSession('s', append('a'))
    const inode = statSync(journal()).ino
    const next = await after(...changes)
    // The rewind has put its document in place, and not removed the journal yet.
    const [rewound] = changes
    replaceDocument((await after(rewound ?? rewind, append('gone'))).document)
    const reader = folder.open()
    const other = folder.open()
    for (const handle of [reader, other]) expect(turnIdsOf(await handle.loadSession('s'))).toEqual([])
    const stood = statSync(document()).ctimeMs
    writeFileSync(journal(), next.journal)
    expect([statSync(journal()).ino, statSync(document()).ctimeMs]).toEqual([inode, stood])
    expect(turnIdsOf(await reader.loadSession('s'))).toEqual(expected)
    await other.changeSession('s', append('last'))
    expect(turnIdsOf(await reader.loadSession('s'))).toEqual([...expected, 'last'])
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual([...expected, 'last'])
  })

  it('is told from it wherever in a read the rewind and the appends of another process come', async () => {
    const ways = [[long('b1'), append('b2')], [append('b'), append('c')], [append('b')]]
    for (const changes of ways.map(appends => [rewind, ...appends])) {
      for (let look = 1; look < 9; look++) {
        const writer = folder.open()
        await writer.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
        await writer.changeSession('s', append('a'))
        const next = await after(...changes)
        const expected = changes.flatMap(({ appendTurns = [] }) => appendTurns.map(({ turnId }) => turnId))
        const reader = folder.open()
        await reader.loadSession('s')
        // What is new makes it read, and not only look.
        await writer.changeSession('s', append('a2'))
        let hasMoved = false
        beforeLook(look, () => {
          hasMoved = true
          replaceDocument(next.document)
          writeFileSync(journal(), next.journal)
        })
        const seen = turnIdsOf(await reader.loadSession('s'))
        expect([['a', 'a2'], expected]).toContainEqual(seen)
        lookWith(looked)
        expect(turnIdsOf(await reader.loadSession('s'))).toEqual(hasMoved ? expected : ['a', 'a2'])
      }
    }
  })
})

it('a record that was read before its line break does not look damaged once a writer has added that', async () => {
  const writer = folder.open()
  await writer.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
  await writer.changeSession('s', append('a'))
  const whole = readFileSync(journal())
  writeFileSync(journal(), whole.subarray(0, -1))
  const reader = folder.open()
  expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['a'])
  await folder.open().changeSession('s', append('b'))
  expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['a', 'b'])
})

it('what a writer took back that could not write it whole does not look damaged, nor is it kept', async () => {
  for (const next of [append('c'), long('c')]) {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
    await writer.changeSession('s', append('a'))
    const before = readFileSync(journal())
    const { journal: tooMuch } = await after(append('b'))
    const { journal: instead } = await after({ ...next, setMetadata: { x: 'y'.repeat(50) } })
    writeFileSync(journal(), tooMuch)
    const reader = folder.open()
    expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['a', 'b'])
    writeFileSync(journal(), before)
    writeFileSync(journal(), instead)
    expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['a', 'c'])
  }
})
