import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isRoot } from '../../../../scripts/testing/machine.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'
import { contentOf, leaveSession, put, text } from '../left-session.ts'

const folder = new Folder()
const document = (): string => folder.path('s.json')
const journal = (): string => folder.path('s.journal')

const fifo = (path: string): void => void execFileSync('mkfifo', [path])

describe('a damaged session', () => {
  const documents: [string, () => void][] = [
    [
      'a link to a document',
      () => (renameSync(document(), folder.path('elsewhere')), symlinkSync('elsewhere', document())),
    ],
    ['a link to nothing', () => (rmSync(document()), symlinkSync('nothing', document()))],
    ['a FIFO', () => (rmSync(document()), fifo(document()))],
    ['a folder', () => (rmSync(document()), mkdirSync(document()))],
    ['an empty file', () => writeFileSync(document(), '')],
    ['NULs', () => writeFileSync(document(), Buffer.alloc(500))],
    ['a byte-order mark', () => writeFileSync(document(), `\u{feff}${text({})}`)],
    ['trailing garbage', () => writeFileSync(document(), `${text({})}x`)],
    ['two documents', () => writeFileSync(document(), text({}) + text({}))],
    ['bytes that are not UTF-8', () => writeFileSync(document(), Buffer.from(text({ agent_id: 'ä' }), 'latin1'))],
    ['not an object', () => writeFileSync(document(), '[]')],
    ['no session_id', () => writeFileSync(document(), '{}')],
    ['a session_id that does not match its name', () => writeFileSync(document(), text({ session_id: 'other' }))],
    ['a workspace_id that does not match its folder', () => writeFileSync(document(), text({ workspace_id: 'other' }))],
    ['JSON of another program', () => writeFileSync(document(), '{"name":"package","version":"1.0.0"}')],
    ['an invalid turn', () => writeFileSync(document(), text({ turns: [{ prompt: 'no id' }] }))],
    ['an invalid revision', () => writeFileSync(document(), text({ revision: 1.5 }))],
  ]
  const journals: [string, () => void][] = [
    [
      'a link to a journal',
      () => (renameSync(journal(), folder.path('elsewhere')), symlinkSync('elsewhere', journal())),
    ],
    ['a link to nothing', () => (rmSync(journal()), symlinkSync(folder.path('nothing'), journal()))],
    ['a FIFO', () => (rmSync(journal()), fifo(journal()))],
    ['a folder', () => (rmSync(journal()), mkdirSync(journal()))],
    ['a file of another program', () => writeFileSync(journal(), 'Dear diary,\n')],
    ['a hole in the middle', () => writeFileSync(journal(), readFileSync(journal()).fill(0, 300, 700))],
    [
      'a record missing in the middle',
      () => writeFileSync(journal(), lines(readFileSync(journal(), 'utf8'), [0, 1, 3])),
    ],
    ['records without a header', () => writeFileSync(journal(), lines(readFileSync(journal(), 'utf8'), [1, 2]))],
  ]

  function lines(content: string, kept: number[]): string {
    const all = content.split('\n')
    return kept.map(index => `${all[index] ?? ''}\n`).join('')
  }

  it.each([
    ...documents.map(([name, damage]) => [`document: ${name}`, 's.json', damage] as const),
    ...journals.map(([name, damage]) => [`journal: ${name}`, 's.journal', damage] as const),
  ])('is reported by every call, changed by none, and all others keep working (%s)', async (_name, file, damage) => {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 'well', workspaceId: 'w' })
    await leaveSession(folder)
    damage()
    const before = contentOf(folder.base)
    const store = folder.open()
    const calls: (() => Promise<unknown>)[] = [
      () => store.loadSession('s'),
      () => store.loadSummary('s'),
      () => store.readTurns('s', { last: 1 }),
      () => store.changeSession('s', append('new')),
      () => store.changeSession('s', { keepTurns: 0, updatedAt: at }),
      () => store.saveSession({ sessionId: 's', createdAt: at }),
      () => store.deleteSession('s'),
    ]
    for (const [index, call] of calls.entries()) {
      const error = await failureOf(call())
      expect(error.code).toBe('CORRUPT_SESSION')
      expect(error.sessionId).toBe('s')
      expect(error.message).toContain(`${folder.path(file)}"`)
      expect(error.outcome).toBe(index < 3 ? undefined : 'not-stored')
    }
    expect(contentOf(folder.base)).toEqual(before)

    expect((await store.listSessions()).toSorted()).toEqual(['s', 'well'])
    const page = await store.querySessions()
    expect(page.sessions.map(session => session.sessionId)).toEqual(['well'])
    expect(page.damaged).toMatchObject([{ sessionId: 's', code: 'CORRUPT_SESSION' }])
    const seen: string[] = []
    const listing = (async () => {
      for await (const session of store.sessions()) seen.push(session.sessionId)
    })()
    expect((await failureOf(listing)).code).toBe('CORRUPT_SESSION')
    expect(seen).toEqual(['well'])
    await store.changeSession('well', append('t'))
    await store.saveSession({ sessionId: 'new' })
    await store.close()
    await writer.close()
    expect(contentOf(folder.base).filter(entry => !entry.startsWith('new.json'))).toEqual(before)
    expect(turnIdsOf(await folder.open().loadSession('well'))).toEqual(['t'])
  })

  it.skipIf(process.getuid === undefined)('is reported if it may not be read (mode 000)', async () => {
    await leaveSession(folder)
    if (isRoot) execFileSync('chown', ['-R', '65534', folder.base])
    chmodSync(document(), 0o000)
    const child = folder.run(
      `say(await store.loadSession('s').then(String, codeOf)); say((await store.querySessions()).damaged[0].code)
      say(await store.changeSession('s', append('x')).then(String, codeOf))`,
      isRoot ? { uid: 65_534 } : {},
    )
    expect(await child.rest()).toEqual(['CORRUPT_SESSION ', 'CORRUPT_SESSION', 'CORRUPT_SESSION not-stored'])
  })

  it('a session at the highest revision can be read, and refuses changes to a next one', async () => {
    writeFileSync(document(), text({ revision: Number.MAX_SAFE_INTEGER, turns: [{ turn_id: 't' }] }))
    const before = contentOf(folder.base)
    const store = folder.open()
    const calls = [
      () => store.changeSession('s', append('new')),
      () => store.changeSession('s', { keepTurns: 0, updatedAt: at }),
      () => store.saveSession({ sessionId: 's', createdAt: at }),
    ]
    for (const call of calls) {
      expect(await failureOf(call())).toMatchObject({ code: 'INVALID_RECORD', sessionId: 's', outcome: 'not-stored' })
      expect(contentOf(folder.base)).toEqual(before)
    }
    expect((await folder.open().loadSession('s'))?.revision).toBe(Number.MAX_SAFE_INTEGER)
    expect((await store.changeSession('s', { setMetadata: {}, updatedAt: at })).revision).toBe(Number.MAX_SAFE_INTEGER)
    expect(await store.deleteSession('s')).toBe(true)
  })

  it('the last of two members with one name counts, as for every reader of JSON', async () => {
    const twice = text({ turns: [{ turn_id: 'first' }], agent_id: 'a' }).replace(
      /\n\}$/,
      ',\n  "agent_id": "b",\n  "turns": []\n}',
    )
    expect(JSON.parse(twice)).toMatchObject({ agent_id: 'b', turns: [] })
    writeFileSync(document(), twice)
    const nested = text({ session_id: 'n', x: 0, turns: [] }).replace(
      '"x": 0',
      '"x": {\n  "turns": [\n    {\n      "turn_id": "no"\n    }\n  ]\n}',
    )
    writeFileSync(folder.path('n.json'), nested)
    const store = folder.open()
    expect(await store.loadSession('s')).toMatchObject({ agentId: 'b', turns: [] })
    await store.changeSession('s', append('t'))
    expect(turnIdsOf(await store.loadSession('n'))).toEqual([])
    await store.close()
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['t'])
  })
})

describe('what other processes left', () => {
  it('temporary files are not sessions, and the first write removes old ones of the store', async () => {
    const names = [0, 1].map(() => `.turnstore-${randomBytes(16).toString('hex')}.tmp`)
    const base = folder.path('base')
    await folder.once(async () => {
      const store = folder.open({}, base)
      await store.saveSession({ sessionId: 's', workspaceId: 'w' })
      await store.close()
    })
    const [old = '', young = ''] = names
    for (const place of [base, `${base}/w`]) {
      for (const name of [old, young, 'someones.tmp']) writeFileSync(`${place}/${name}`, 'half a docu')
      const longAgo = Date.now() / 1000 - 2 * 24 * 3600
      for (const name of [old, 'someones.tmp']) utimesSync(`${place}/${name}`, longAgo, longAgo)
    }
    const reader = folder.open({}, base)
    expect(await reader.listSessions()).toEqual(['s'])
    await reader.close()
    expect(existsSync(`${base}/${old}`)).toBe(true)
    const store = folder.open({}, base)
    await store.changeSession('s', append('t'))
    await store.close()
    for (const place of [base, `${base}/w`]) {
      expect(existsSync(`${place}/${old}`)).toBe(false)
      expect(existsSync(`${place}/${young}`)).toBe(true)
      expect(existsSync(`${place}/someones.tmp`)).toBe(true)
    }
  })

  it('a journal without a document is not a session, and not part of one created later', async () => {
    const files = await leaveSession(folder)
    const base = put(folder, files)
    rmSync(`${base}/s.json`)
    writeFileSync(`${base}/s.rotated`, files.journal)
    const store = folder.open({}, base)
    expect(await store.listSessions()).toEqual([])
    expect(await store.loadSession('s')).toBeNull()
    expect(await store.saveSession({ sessionId: 's', createdAt: at })).toBe(1)
    expect(turnIdsOf(await store.loadSession('s'))).toEqual([])
    await store.close()
    expect(readdirSync(base).toSorted()).toEqual(['.turnstore', 's.json'])
  })

  it('with a folder in the place of its journal can be deleted, and its id is free', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    mkdirSync(journal())
    expect(await store.deleteSession('s', { evenIfDamaged: true })).toBe(true)
    await store.saveSession({ sessionId: 's', createdAt: at })
    writeFileSync(`${(mkdirSync(journal()), journal())}/file`, '')
    // What cannot be deleted stays whole.
    const failure = await failureOf(store.deleteSession('s', { evenIfDamaged: true }))
    expect(failure).toMatchObject({ code: 'CORRUPT_SESSION' })
    expect(existsSync(document())).toBe(true)
  })

  it('a rotated journal of an unfinished compaction is read, continued and compacted', async () => {
    const live = folder.open()
    await live.saveSession({ sessionId: 's', createdAt: at })
    expect(await live.loadSession('s')).not.toBeNull()
    await folder.open().changeSession('s', append('a'))
    renameSync(journal(), folder.path('s.rotated'))
    // This handle knew the session before there was a journal.
    expect(turnIdsOf(await live.loadSession('s'))).toEqual(['a'])
    expect((await live.changeSession('s', append('b'))).revision).toBe(3)
    for (const reader of [live, folder.open()]) expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['a', 'b'])
    await live.close()
    expect(readdirSync(dirname(document())).toSorted()).toEqual(['.turnstore', 's.json'])
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a', 'b'])
  })

  it('a writer that did not know a journal before its rotation does not write its revision again', async () => {
    const live = folder.open()
    await live.saveSession({ sessionId: 's', createdAt: at })
    await live.loadSession('s')
    await folder.open().changeSession('s', append('a'))
    renameSync(journal(), folder.path('s.rotated'))
    expect((await live.changeSession('s', append('b'))).revision).toBe(3)
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a', 'b'])
  })
})
