import fs, {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import type { SessionPage } from '@turnstore/core'
import { beforeEach, expect, it, vi } from 'vitest'
import { hasStrace, isLinux, isRoot } from '../../../../scripts/testing/machine.ts'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

vi.setConfig({ testTimeout: 60_000 })

const folder = new Folder()
const kept = (base = folder.path('base')): string => `${base}/.turnstore/summaries`

const COUNT = 60

/** Sessions in two workspaces and in none, one of them with a journal; then a listing, which keeps their summaries. */
async function leave(base: string, prompt = 'p'): Promise<void> {
  const store = folder.open({}, base)
  for (let i = 0; i < COUNT; i++) {
    const workspaceId = [null, 'acme', 'gl/obex'][i % 3] ?? null
    await store.saveSession({ sessionId: `s:${i}`, workspaceId, createdAt: at, metadata: { prompt, list: [i] } })
  }
  await store.close()
  await folder.open({}, base).changeSession('s:0', append('t'))
  // Until the clock of the file system has gone on.
  await sleep(50)
  const lister = folder.open({}, base)
  await lister.querySessions()
  await lister.close()
}

const pageOf = (base: string, workspaceId?: string): Promise<SessionPage> =>
  folder.open({}, base).querySessions({ limit: 100, ...(workspaceId === undefined ? {} : { workspaceId }) })

beforeEach(() => leave(folder.path('base')))

it.skipIf(!hasStrace)(
  'a new process lists without reading a session, and one that changed is read (needs strace)',
  async () => {
    const opened = async (): Promise<string[]> => {
      const log = folder.path('log')
      const under = ['strace', '-f', '-qq', '--seccomp-bpf', '-o', log, '-e', 'trace=openat']
      const child = folder.run(`say((await store.querySessions({ limit: 100 })).sessions.length)`, {
        base: folder.path('base'),
        under,
      })
      expect(await child.rest()).toEqual([String(COUNT)])
      const lines = readFileSync(log, 'utf8').split('\n')
      return lines.filter(line => line.includes(folder.path('base')) && /\.(?:json|journal)"/.test(line))
    }
    expect(await opened()).toEqual([])
    await folder.open({}, folder.path('base')).changeSession('s:3', append('t'))
    expect((await opened()).join()).toMatch(/s%3A3\.json/)
  },
)

it('what another program writes beside it is seen', async () => {
  const path = folder.path('base', 's%3A3.json')
  const session = {
    session_id: 's:3',
    workspace_id: null,
    created_at: at,
    turns: [],
    metadata: { by: 'the reference' },
  }
  writeFileSync(path, JSON.stringify(session))
  rmSync(folder.path('base', 'acme', 's%3A1.json'))
  const { sessions } = await pageOf(folder.path('base'))
  expect(sessions).toHaveLength(COUNT - 1)
  expect(sessions.find(({ sessionId }) => sessionId === 's:3')?.metadata).toEqual({ by: 'the reference' })
})

it('a listing of all forgets what is gone', async () => {
  for (let i = 0; i < COUNT; i += 3) rmSync(folder.path('base', `s%3A${i}.json`))
  await leave(folder.path('base', '..', 'base'), 'q')
  expect(readFileSync(kept(), 'utf8')).not.toContain('"p"')
})

const line = (...entries: unknown[]): string => {
  const text = JSON.stringify(entries)
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`
}

function parseEntries(text: string): unknown[][] {
  const entries: unknown = JSON.parse(text)
  if (!Array.isArray(entries) || !entries.every(Array.isArray)) throw new Error('not a list of entries')
  return entries
}

/** The file with each entry altered, and correct checksums. */
function alterEntries(alter: (entry: unknown[]) => unknown): void {
  const [header = '', ...lines] = readFileSync(kept(), 'utf8').trimEnd().split('\n')
  const entries: unknown[][] = lines.flatMap(text => parseEntries(text.slice(9)))
  writeFileSync(kept(), `${header}\n${entries.map(entry => line(alter(entry))).join('')}`)
}

/** One member of each summary. */
const member = (index: number, value: unknown) => (): void =>
  alterEntries(([place, name, version, members]) => {
    if (!Array.isArray(members)) throw new Error('not a summary')
    return [place, name, version, members.with(index, value)]
  })

const deep: unknown = JSON.parse(`${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`)
const damages: [string, () => void][] = [
  ['deleted', () => rmSync(kept())],
  ['empty', () => writeFileSync(kept(), '')],
  ['of another version', () => alter(text => text.replace('{"summaries":1}', '{"summaries":2}'))],
  ['with NULs', () => alter(text => text.replace(/.{2000}$/s, '\0'.repeat(2000)))],
  ['with another byte', () => alter(text => text.replaceAll('"p"', '"q"'))],
  ['no text', () => writeFileSync(kept(), fs.readFileSync(process.execPath).subarray(0, 100_000))],
  ['a link', () => (rmSync(kept()), symlinkSync('/etc/hostname', kept()))],
  ['a folder', () => (rmSync(kept()), mkdirSync(kept()))],
  ['lists of other things', () => alterEntries(() => [1, 'x', {}, null])],
  ['entries that are no lists', () => alterEntries(() => ({ length: 4 }))],
  ['other ids', member(0, 's:1')],
  ['ids of no type', member(0, { toString: 'x' })],
  ['another workspace', member(1, 'evil')],
  ['no workspace', member(1, undefined)],
  ['times of no type', member(5, 5)],
  ['metadata of no type', member(6, [])],
  ['metadata of any depth', member(6, deep)],
  ['a revision of no type', member(7, '1')],
  ['a negative count', member(8, -1)],
  ['other places', () => alterEntries(([, ...rest]) => ['../../etc', ...rest])],
  ['__proto__', () => alterEntries(([place, , ...rest]) => [place, '__proto__', ...rest])],
]

function alter(change: (text: string) => string): void {
  const before = readFileSync(kept(), 'utf8')
  const after = change(before)
  if (after === before) throw new Error('nothing was altered')
  writeFileSync(kept(), after)
}

it.each(damages)('a listing is the same if the kept summaries are %s', async (_what, damage) => {
  const before = await pageOf(folder.path('base'))
  const scoped = await pageOf(folder.path('base'), 'acme')
  expect([before.sessions.length, scoped.sessions.length]).toEqual([COUNT, COUNT / 3])
  damage()
  expect(await pageOf(folder.path('base'))).toEqual(before)
  expect(await pageOf(folder.path('base'), 'acme')).toEqual(scoped)
  expect(await pageOf(folder.path('base'), 'evil')).toEqual({ sessions: [], cursor: null })
})

it('a listing is the same wherever the kept summaries are cut', async () => {
  const before = await pageOf(folder.path('base'))
  const bytes = readFileSync(kept())
  for (let length = 0; length < bytes.length; length += 997) {
    writeFileSync(kept(), bytes.subarray(0, length))
    expect(await pageOf(folder.path('base'))).toEqual(before)
  }
})

it('a listing is the same with the kept summaries of another folder, also of one with the same sessions', async () => {
  await leave(folder.path('other'), 'other')
  const before = await pageOf(folder.path('base'))
  cpSync(kept(folder.path('other')), kept())
  expect(await pageOf(folder.path('base'))).toEqual(before)
  cpSync(folder.path('base'), folder.path('copy'), { recursive: true })
  expect(await pageOf(folder.path('copy'))).toEqual(before)
})

it('nothing is written after a listing of few sessions, nor into a folder of the reference', async () => {
  const base = folder.path('reference')
  cpSync(folder.path('base'), base, { recursive: true })
  rmSync(`${base}/.turnstore`, { recursive: true })
  const store = folder.open({}, base)
  expect((await store.querySessions()).sessions).toHaveLength(50)
  await store.close()
  expect(existsSync(`${base}/.turnstore`)).toBe(false)
  const small = folder.open({}, folder.path('small'))
  await small.saveSession({ sessionId: 's', createdAt: at })
  await small.querySessions()
  await small.close()
  expect(readdirSync(folder.path('small', '.turnstore')).toSorted()).toEqual(['format', 'locks'])
})

it.skipIf(!isRoot || !isLinux)(
  'a folder that cannot be written is listed (needs root, to become another account)',
  async () => {
    rmSync(kept())
    fs.chmodSync(folder.base, 0o755)
    for (const name of readdirSync(folder.path('base'), { recursive: true, encoding: 'utf8' })) {
      fs.chmodSync(folder.path('base', name), fs.statSync(folder.path('base', name)).isDirectory() ? 0o755 : 0o644)
    }
    fs.chmodSync(folder.path('base'), 0o755)
    const child = folder.run(`say((await store.querySessions({ limit: 100 })).sessions.length); await store.close()`, {
      base: folder.path('base'),
      uid: 65_534,
    })
    expect([await child.rest(), child.errors]).toEqual([[String(COUNT)], ''])
    expect(existsSync(kept())).toBe(false)
  },
)

it('is not kept with a journal that came while the session was read', async () => {
  const base = folder.path('other')
  const writer = folder.open({}, base)
  const ids = Array.from({ length: COUNT }, (_, i) => `s${i}`)
  for (const sessionId of ids) await writer.saveSession({ sessionId })
  await sleep(100)
  const lister = folder.open({}, base)
  const listing = lister.querySessions()
  await Promise.all(ids.map(async id => writer.changeSession(id, append('t'))))
  await listing
  await lister.close()
  // Without its journal, the document is the session as it was before.
  for (const id of ids) rmSync(`${base}/${id}.journal`)
  const page = await pageOf(base)
  expect(page.sessions.map(({ turnCount }) => turnCount)).toEqual(ids.map(() => 0))
})
