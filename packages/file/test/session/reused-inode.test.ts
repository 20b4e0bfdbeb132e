import fs, { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { SessionChange } from '@turnstore/core'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { identify } from '../../src/disk/file-identity.ts'
import { FilesChanged } from '../../src/disk/read-file.ts'
import { Layout } from '../../src/folder/layout.ts'
import { readTurnsAt } from '../../src/session/assemble-turns.ts'
import { catchUp } from '../../src/session/catch-up.ts'
import type { TurnPlace } from '../../src/session/turn-places.ts'
import { Folder } from '../folder.ts'

/*
 * The inode of a removed journal is reused, and a reader takes no lock. So what a reader knows may be of another
 * journal than the one that it finds. Overwriting the file in place gives another journal the same inode on every
 * file system.
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

/** Runs `work` right before the nth lstat of a file of the session. */
function beforeLook(nth: number, work: () => void): void {
  let looks = 0
  lookWith((path, options) => {
    if (String(path).startsWith(folder.path('s.')) && ++looks === nth) work()
    return looked(path, options)
  })
}

/** The files of another process that continues from the current ones. */
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

describe('a journal with the inode of a removed one', () => {
  it.each([
    ['longer, so that what was read ends within a record', [rewind, long('b1'), append('b2')], ['b1', 'b2']],
    ['longer, so that what was read ends with a record', [rewind, append('b'), append('c')], ['b', 'c']],
    ['as long', [rewind, append('b')], ['b']],
  ])('is recognised by a handle that knew the old one (%s)', async (_name, changes, expected) => {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
    await writer.changeSession('s', append('a'))
    const inode = statSync(journal()).ino
    const next = await after(...changes)
    // The rewind has replaced the document and not yet removed the journal.
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

  it('is recognised wherever in a read another process rewinds and appends', async () => {
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
        // A new change makes the reader read, not only look.
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

it('a record that was read before its line break does not look damaged after a writer adds it', async () => {
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

it('a partial write that its writer undid does not look damaged and is not kept', async () => {
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

it('a turn is never read from a journal that has the inode of the old one', async () => {
  const layout = new Layout(folder.base, false)
  const paths = layout.pathsForNew('s', null)
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.changeSession('s', append('before'))
  const index = await catchUp(null, paths, layout)
  if (index === null) throw new Error('not found')
  const snapshot = index.snapshot()
  const { places } = snapshot
  expect((await readTurnsAt(places, snapshot))[0]?.turnId).toBe('before')
  const old = readFileSync(journal())
  await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
  await vi.waitFor(
    () => expect([journal(), folder.path('s.rotated')].filter(path => existsSync(path))).toEqual([]),
    10_000,
  )
  // A new file often gets the inode that was freed last. Here it is certain.
  writeFileSync(journal(), '')
  const other = Buffer.from(old.toString('latin1').replaceAll('before', 'behind'), 'latin1')
  const identity = identify(journal())?.file ?? ''
  writeFileSync(journal(), other)
  const moved = places.map(place => movedTo(place, identity))
  await expect(readTurnsAt(moved, snapshot)).rejects.toThrow(FilesChanged)
})

function movedTo(place: TurnPlace, identity: string): TurnPlace {
  if (!('span' in place) || !('journal' in place.span)) return place
  return { ...place, span: { ...place.span, journal: { ...place.span.journal, identity } } }
}
