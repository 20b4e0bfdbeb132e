import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isRoot, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { unreadable } from '../../src/folder/file-errors.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const document = (): string => folder.path('s.json')
const journal = (): string => folder.path('s.journal')

/** A document with two turns and a journal with three changes, as a process leaves them that was killed. */
async function leaveSession(): Promise<{ document: Buffer; journal: Buffer }> {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at, updatedAt: at, turns: [{ turnId: 'd1' }, { turnId: 'd2', prompt: 'ü' }] })
  await store.changeSession('s', append('j1'))
  await store.changeSession('s', { updateTurns: [{ turnId: 'j1', putToolCalls: [{ callId: 'c', toolName: 'f' }] }], updatedAt: at })
  await store.changeSession('s', { ...append('j2', 'j3'), setMetadata: { text: 'JJ**zz\u4a0a{}' } })
  return { document: readFileSync(document()), journal: readFileSync(journal()) }
}

/** Files of a session in a folder of its own. */
function put(files: { document: Buffer | string; journal?: Buffer }): string {
  const base = folder.path(randomBytes(8).toString('hex'))
  mkdirSync(base)
  writeFileSync(`${base}/s.json`, files.document)
  if (files.journal !== undefined) writeFileSync(`${base}/s.journal`, files.journal)
  return base
}

async function load(base: string): Promise<string> {
  const store = folder.open({}, base)
  try {
    return await store.loadSession('s').then(JSON.stringify, (error: unknown) => failureCode(error))
  } finally {
    await store.close()
  }
}

function failureCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** What stands in a folder, but for what is ours alone. */
function contentOf(base: string): string[] {
  return readdirSync(base, { withFileTypes: true })
    .filter(entry => entry.name !== '.turnstore')
    .map(entry => {
      const path = `${base}/${entry.name}`
      if (entry.isSymbolicLink()) return `${entry.name} -> ${readlinkSync(path)}`
      return entry.isFile() ? `${entry.name}: ${readFileSync(path, 'latin1')}` : entry.name
    })
}

const text = (session: object): string => JSON.stringify({ session_id: 's', created_at: at, ...session }, null, 2)
const fifo = (path: string): void => void execFileSync('mkfifo', [path])

describe('a damaged session', () => {
  const documents: [string, () => void][] = [
    ['a link to a document', () => (renameSync(document(), folder.path('elsewhere')), symlinkSync('elsewhere', document()))],
    ['a link to nothing', () => (rmSync(document()), symlinkSync('nothing', document()))],
    ['a FIFO', () => (rmSync(document()), fifo(document()))],
    ['a folder', () => (rmSync(document()), mkdirSync(document()))],
    ['nothing at all', () => writeFileSync(document(), '')],
    ['NULs', () => writeFileSync(document(), Buffer.alloc(500))],
    ['a byte-order mark', () => writeFileSync(document(), `\u{feff}${text({})}`)],
    ['trailing garbage', () => writeFileSync(document(), `${text({})}x`)],
    ['two documents', () => writeFileSync(document(), text({}) + text({}))],
    ['what is no UTF-8', () => writeFileSync(document(), Buffer.from(text({ agent_id: 'ä' }), 'latin1'))],
    ['no object', () => writeFileSync(document(), '[]')],
    ['no session_id', () => writeFileSync(document(), '{}')],
    ['a session_id that is not its name', () => writeFileSync(document(), text({ session_id: 'other' }))],
    ['a workspace_id that is not its folder', () => writeFileSync(document(), text({ workspace_id: 'other' }))],
    ['somebody else’s JSON', () => writeFileSync(document(), '{"name":"package","version":"1.0.0"}')],
    ['a turn that is none', () => writeFileSync(document(), text({ turns: [{ prompt: 'no id' }] }))],
    ['a revision that is none', () => writeFileSync(document(), text({ revision: 1.5 }))],
  ]
  const journals: [string, () => void][] = [
    ['a link to a journal', () => (renameSync(journal(), folder.path('elsewhere')), symlinkSync('elsewhere', journal()))],
    ['a link to nothing', () => (rmSync(journal()), symlinkSync(folder.path('nothing'), journal()))],
    ['a FIFO', () => (rmSync(journal()), fifo(journal()))],
    ['a folder', () => (rmSync(journal()), mkdirSync(journal()))],
    ['somebody else’s file', () => writeFileSync(journal(), 'Dear diary,\n')],
    ['a hole in the middle', () => writeFileSync(journal(), readFileSync(journal()).fill(0, 300, 700))],
    ['a record missing in the middle', () => writeFileSync(journal(), lines(readFileSync(journal(), 'utf8'), [0, 1, 3]))],
    ['records without a header', () => writeFileSync(journal(), lines(readFileSync(journal(), 'utf8'), [1, 2]))],
  ]

  function lines(content: string, kept: number[]): string {
    const all = content.split('\n')
    return kept.map(index => `${all[index] ?? ''}\n`).join('')
  }

  it.each([
    ...documents.map(([name, damage]) => [`document: ${name}`, 's.json', damage] as const),
    ...journals.map(([name, damage]) => [`journal: ${name}`, 's.journal', damage] as const),
  ])('is reported by every call, altered by none, and keeps no other from working (%s)', async (_name, file, damage) => {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 'well', workspaceId: 'w' })
    await leaveSession()
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

  it.skipIf(process.getuid === undefined)('one that may not be read is reported (mode 000)', async () => {
    await leaveSession()
    if (isRoot) execFileSync('chown', ['-R', '65534', folder.base])
    chmodSync(document(), 0o000)
    const child = folder.run(
      `say(await store.loadSession('s').then(String, codeOf)); say((await store.querySessions()).damaged[0].code)
      say(await store.changeSession('s', append('x')).then(String, codeOf))`,
      isRoot ? { uid: 65_534 } : {},
    )
    expect(await child.rest()).toEqual(['CORRUPT_SESSION ', 'CORRUPT_SESSION', 'CORRUPT_SESSION not-stored'])
  })

  it('a session at the last revision that there is is read, and refuses what would lead to another', async () => {
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

  it('of two members with one name the last counts, as for every reader of JSON', async () => {
    const twice = text({ turns: [{ turn_id: 'first' }], agent_id: 'a' }).replace(/\n\}$/, ',\n  "agent_id": "b",\n  "turns": []\n}')
    expect(JSON.parse(twice)).toMatchObject({ agent_id: 'b', turns: [] })
    writeFileSync(document(), twice)
    const nested = text({ session_id: 'n', x: 0, turns: [] }).replace('"x": 0', '"x": {\n  "turns": [\n    {\n      "turn_id": "no"\n    }\n  ]\n}')
    writeFileSync(folder.path('n.json'), nested)
    const store = folder.open()
    expect(await store.loadSession('s')).toMatchObject({ agentId: 'b', turns: [] })
    await store.changeSession('s', append('t'))
    expect(turnIdsOf(await store.loadSession('n'))).toEqual([])
    await store.close()
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['t'])
  })
})

/** As an account for which the modes of files count. */
function runAsUser(base: string, code: string): Promise<string[]> {
  if (isRoot) execFileSync('chown', ['-R', '65534', folder.base])
  return folder.run(code, { base, ...(isRoot ? { uid: 65_534 } : {}) }).rest()
}

describe.skipIf(process.getuid === undefined)('a folder that may not be read', () => {
  it.each([
    ['000', 0o000],
    ['400', 0o400],
    ['100', 0o100],
  ])('of one workspace is told, and keeps no session of another from working (mode %s)', async (_name, mode) => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    for (const workspaceId of [null, 'before', 'locked', 'with']) {
      await writer.saveSession({ sessionId: `s-${workspaceId}`, workspaceId, createdAt: at })
    }
    await writer.close()
    chmodSync(`${base}/locked`, mode)
    const said = await runAsUser(
      base,
      `const page = await store.querySessions()
      say(page.sessions.map(({ sessionId }) => sessionId).sort().join())
      say(page.damaged.map(({ sessionId, code, message }) => [sessionId, code, message.includes(base + '/locked')]))
      const seen = []
      try {
        for await (const { sessionId } of store.sessions()) seen.push(sessionId)
      } catch (error) {
        seen.push(codeOf(error))
      }
      say(seen.length)
      say((await store.listSessions()).includes('s-with'))
      for (const id of ['s-null', 's-before', 's-with']) {
        say((await store.loadSession(id)).sessionId)
        say((await store.changeSession(id, append('t'))).revision)
      }
      say(await store.loadSession('none', { workspaceId: 'with' }))
      say(await store.deleteSession('s-with'))`,
    )
    expect(said).toEqual([
      's-before,s-null,s-with',
      `${mode === 0o400 ? 's-locked' : '"locked/"'},CORRUPT_SESSION,true`,
      '4',
      'true',
      ...['s-null', 's-before', 's-with'].flatMap(id => [id, '2']),
      'null',
      'true',
    ])
  })

  it.each([
    ['000', 0o000],
    ['400', 0o400],
  ])('is named where a session is found nowhere, and may be in it (mode %s)', async (_name, mode) => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    await writer.saveSession({ sessionId: 'locked', workspaceId: 'locked', createdAt: at })
    await writer.close()
    chmodSync(`${base}/locked`, mode)
    const said = await runAsUser(
      base,
      `for (const sessionId of ['none', 'locked']) {
        for (const call of [
          () => store.loadSession(sessionId),
          () => store.changeSession(sessionId, append('t')),
          () => store.saveSession({ sessionId }),
        ]) await call().then(say, error => say(codeOf(error) + ': ' + error.message))
      }`,
    )
    const message = `: "${base}/locked" cannot be read (EACCES). Let this account read it, or move it away`
    const outcomes = ['', 'not-stored', 'not-stored']
    expect(said).toEqual([...outcomes, ...outcomes].map(outcome => `STORE_UNAVAILABLE ${outcome}${message}`))
  })

  it.each([
    ['base', ''],
    ['own folder', '/.turnstore'],
    ['format', '/.turnstore/format'],
  ])('of the store is named by the error of every call (%s)', async (_name, path) => {
    const base = folder.path('base')
    const writer = folder.open({}, base)
    await writer.saveSession({ sessionId: 's', createdAt: at })
    await writer.close()
    chmodSync(`${base}${path}`, 0o000)
    const said = await runAsUser(
      base,
      `for (const call of [
        () => store.loadSession('s'),
        () => store.listSessions(),
        () => store.changeSession('s', append('t')),
        () => store.saveSession({ sessionId: 's' }),
      ]) await call().then(say, error => say(codeOf(error) + error.message))`,
    )
    for (const [index, each] of said.entries()) {
      expect(each).toMatch(/^STORE_UNAVAILABLE/)
      expect(each).toContain(`"${base}${path}`)
      expect(each).toContain('cannot be read (EACCES). Let this account read it')
      expect(each.startsWith('STORE_UNAVAILABLE not-stored')).toBe(index > 1)
    }
    expect(said).toHaveLength(4)
  })

  it('a file in place of our own folder is named as well', async () => {
    writeFileSync(folder.path('.turnstore'), '')
    const store = folder.open()
    for (const call of [store.loadSession('s'), store.listSessions(), store.saveSession({ sessionId: 's' })]) {
      const error = await failureOf(call)
      expect(error.code).toBe('STORE_UNAVAILABLE')
      expect(error.message).toContain(`"${folder.path('.turnstore')}" is a file where a folder must be. Move it away`)
    }
  })

  it.each([
    ['EACCES', 'cannot be read (EACCES). Let this account read it, or move it away'],
    ['EIO', 'cannot be read (EIO). The disk or its file system failed. See the system log'],
    ['EMFILE', 'cannot be read (EMFILE). Too many files are open. Raise the limit of the process, or close some'],
    ['ENAMETOOLONG', 'cannot be read (ENAMETOOLONG)'],
  ])('is told with what helps against %s', (code, message) => {
    const error = unreadable('/base/w', Object.assign(new Error('SECRET'), { code }))
    expect(error.message).toBe(`"/base/w" ${message}`)
  })
})

describe.skipIf(process.platform !== 'linux')('a name that is no UTF-8', () => {
  const bytes = (name: string): Buffer => Buffer.from(folder.path(name), 'latin1')

  it('is told of where it ends in .json, or is a folder’s, and is nobody’s session', async () => {
    const writer = folder.open()
    await writer.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
    await writer.saveSession({ sessionId: 'caf\ufffd', createdAt: at })
    for (const name of ['caf\u00e9.json', 'w/caf\u00e9.json', 'caf\u00e9.txt']) writeFileSync(bytes(name), text({}))
    mkdirSync(bytes('d\u00e9'))
    const store = folder.open()
    expect((await store.listSessions()).toSorted()).toEqual(['caf\ufffd', 's'])
    const page = await store.querySessions()
    expect(page.sessions.map(({ sessionId }) => sessionId).toSorted()).toEqual(['caf\ufffd', 's'])
    expect(page.damaged?.map(({ sessionId, code }) => [sessionId, code]).toSorted()).toEqual([
      ['"caf\\xE9.json"', 'CORRUPT_SESSION'],
      ['"caf\\xE9.json"', 'CORRUPT_SESSION'],
      ['"d\\xE9/"', 'CORRUPT_SESSION'],
    ])
    const messages = page.damaged?.map(({ message }) => message).join()
    expect(messages).toContain(`"${folder.path('w')}": the name of "caf\\xE9.json"`)
    expect((await store.querySessions({ workspaceId: 'w' })).damaged).toHaveLength(1)
    expect(await store.loadSession('caf\ufffd')).not.toBeNull()
    const seen: string[] = []
    const all = (async () => {
      for await (const { sessionId } of store.sessions()) seen.push(sessionId)
    })()
    expect((await failureOf(all)).code).toBe('CORRUPT_SESSION')
    expect(seen).toHaveLength(2)
  })
})

describe('links', () => {
  it('a workspace folder that is a link is told of in listings, and keeps no other from working', async () => {
    const base = folder.path('base')
    mkdirSync(folder.path('outside'))
    writeFileSync(folder.path('outside', 's.json'), text({ workspace_id: 'w' }))
    const store = folder.open({}, base)
    await store.saveSession({ sessionId: 'a', workspaceId: 'other', createdAt: at })
    symlinkSync(folder.path('outside'), `${base}/w`)
    symlinkSync('nowhere', `${base}/latest`)
    symlinkSync('.turnstore/format', `${base}/format`)
    for (const query of [{}, { workspaceId: 'w' }]) {
      const page = await store.querySessions(query)
      expect(page.damaged).toHaveLength(1)
      expect(page.damaged?.[0]).toMatchObject({ sessionId: '"w/"', code: 'CORRUPT_SESSION' })
      expect(page.damaged?.[0]?.message).toContain(`"${base}/w": this folder is a link, and links are not followed`)
      expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual('workspaceId' in query ? [] : ['a'])
    }
    for (const workspaceId of [null, 'other']) {
      expect((await store.querySessions({ workspaceId })).damaged).toBeUndefined()
    }
    expect(await store.listSessions()).toEqual(['a'])
    expect((await store.changeSession('a', append('t'))).revision).toBe(2)
    expect(turnIdsOf(await store.loadSession('a'))).toEqual(['t'])
    await store.saveSession({ sessionId: 'b', workspaceId: 'other' })
  })

  it('a workspace folder that is a link is not followed', async () => {
    const outside = folder.path('outside')
    const base = folder.path('base')
    mkdirSync(outside)
    writeFileSync(`${outside}/s.json`, text({ workspace_id: 'w' }))
    mkdirSync(base)
    symlinkSync(outside, `${base}/w`)
    const store = folder.open({}, base)
    expect(await store.loadSession('s')).toBeNull()
    expect(await store.loadSession('s', { workspaceId: 'w' })).toBeNull()
    expect(await store.listSessions()).toEqual([])
    expect(await store.listSessions({ workspaceId: 'w' })).toEqual([])
    const error = await failureOf(store.saveSession({ sessionId: 'new', workspaceId: 'w' }))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    expect(readdirSync(outside)).toEqual(['s.json'])
  })

  it('nor one that became a link while a handle knew it', async () => {
    const base = folder.path('base')
    const store = folder.open({}, base)
    await store.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at })
    await store.changeSession('s', append('t'))
    renameSync(`${base}/w`, folder.path('outside'))
    symlinkSync(folder.path('outside'), `${base}/w`)
    const before = contentOf(folder.path('outside'))
    expect(await store.loadSession('s')).toBeNull()
    expect((await failureOf(store.changeSession('s', append('t2')))).code).toBe('SESSION_NOT_FOUND')
    await store.close()
    expect(contentOf(folder.path('outside'))).toEqual(before)
  })

  it('a link in place of our own folder is refused', async () => {
    mkdirSync(folder.path('outside'))
    mkdirSync(folder.path('base'))
    symlinkSync(folder.path('outside'), folder.path('base', '.turnstore'))
    const store = folder.open({}, folder.path('base'))
    expect(await failureOf(store.saveSession({ sessionId: 's' }))).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
    expect(readdirSync(folder.path('outside'))).toEqual([])
  })

  it('a base that is a link is the folder that it names, for all handles', async () => {
    mkdirSync(folder.path('real'))
    symlinkSync(folder.path('real'), folder.path('base'))
    const store = folder.open({}, folder.path('base'))
    await store.saveSession({ sessionId: 's' })
    await store.changeSession('s', append('a'))
    await folder.open({}, folder.path('real')).changeSession('s', append('b'))
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'b'])
  })
})

describe('cuts', () => {
  it('a document cut at any byte is reported', async () => {
    const files = await leaveSession()
    const base = put(files)
    for (let length = 0; length < files.document.length; length += thoroughness > 1 ? 1 : 7) {
      writeFileSync(`${base}/s.json`, files.document.subarray(0, length))
      expect([length, await load(base)]).toEqual([length, 'CORRUPT_SESSION'])
    }
    writeFileSync(`${base}/s.json`, files.document.subarray(0, -1))
    expect(await load(base)).toBe('CORRUPT_SESSION')
  })

  it('a journal cut at any byte holds the changes that were whole, and takes the next', async () => {
    const files = await leaveSession()
    const ends = [...files.journal.entries()].filter(([, byte]) => byte === 10).map(([index]) => index)
    const states: string[] = []
    for (const end of [0, ...ends.slice(1)]) states.push(await load(put({ ...files, journal: files.journal.subarray(0, end && end + 1) })))
    expect(new Set(states).size).toBe(4)
    const wholeAt = (length: number): number => ends.slice(1).filter(end => end <= length).length
    const lengths = Array.from({ length: files.journal.length + 1 }, (_, length) => length)
    for (const length of lengths) {
      const base = put({ ...files, journal: files.journal.subarray(0, length) })
      expect([length, await load(base)]).toEqual([length, states[wholeAt(length)]])
      rmSync(base, { recursive: true })
    }
    for (const length of lengths.filter(each => ends.includes(each) || each % (thoroughness > 1 ? 1 : 60) === 0)) {
      const base = put({ ...files, journal: files.journal.subarray(0, length) })
      const store = folder.open({}, base)
      const { revision } = await store.changeSession('s', append('next'))
      expect([length, revision]).toEqual([length, wholeAt(length) + 2])
      expect(await load(base)).toContain('"next"')
      await store.changeSession('s', append('after'))
      await store.close()
      expect(readdirSync(base).toSorted()).toEqual(['.turnstore', 's.json'])
      expect(turnIdsOf(await folder.open({}, base).loadSession('s'))?.slice(-2)).toEqual(['next', 'after'])
    }
  })

  it('NULs behind the end, as a power cut leaves them, are passed over', async () => {
    const files = await leaveSession()
    const whole = await load(put(files))
    const withoutLast = await load(put({ ...files, journal: files.journal.subarray(0, -40) }))
    for (const cut of [0, 1, 5, 40]) {
      for (const nuls of [1, 100, 4096]) {
        const kept = files.journal.subarray(0, files.journal.length - cut)
        const base = put({ ...files, journal: Buffer.concat([kept, Buffer.alloc(nuls)]) })
        const state = await load(base)
        expect(state).toBe(cut <= 1 ? whole : withoutLast)
        const store = folder.open({}, base)
        await store.changeSession('s', append('next'))
        expect(turnIdsOf(await folder.open({}, base).loadSession('s'))?.at(-1)).toBe('next')
        await store.close()
      }
    }
  })
})

describe('flips', () => {
  it('no altered byte of an acknowledged change gives a wrong session', async () => {
    const files = await leaveSession()
    const whole = await load(put(files))
    const base = put(files)
    const store = folder.open({}, base)
    const wrong: string[] = []
    const step = thoroughness > 1 ? 1 : 16
    for (let index = 0; index < files.journal.length; index++) {
      const before = files.journal[index] ?? 0
      // Every bit, and what means something in a journal: a line break, a NUL, a digit, a blank.
      const others = [...Array.from({ length: 8 }, (_, bit) => before ^ (1 << bit)), 10, 0, 48, 32, 97]
      const looked = isTelling(files.journal, index) ? others : others.filter((_, i) => (i + index) % step === 0)
      for (const other of looked) {
        if (other === before) continue
        const journal = Buffer.from(files.journal)
        journal[index] = other
        // A new file each time, as a damaged one is found by a process that did not write it.
        rmSync(`${base}/s.journal`)
        writeFileSync(`${base}/s.journal`, journal)
        const fresh = folder.open({}, base)
        const state = await fresh.loadSession('s').then(JSON.stringify, failureCode)
        if (state !== whole && state !== 'CORRUPT_SESSION') wrong.push(`byte ${index}: ${before} -> ${other}`)
        await fresh.close()
      }
    }
    await store.close()
    expect(wrong).toEqual([])
  })

  /** Whether it is of the front of a record, or among its last bytes. */
  function isTelling(journal: Buffer, index: number): boolean {
    const begin = journal.lastIndexOf(10, index - 1) + 1
    return index - begin < 30 || journal.indexOf(10, index) - index < 3
  }
})

describe('what others left behind', () => {
  it('temporary files are no sessions, and old ones of ours are swept once somebody writes', async () => {
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

  it('a journal without a document is no session, and none that is created later', async () => {
    const files = await leaveSession()
    const base = put(files)
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

  it('a rotated journal that a compaction did not come to compact is read, gone on from, and compacted', async () => {
    const live = folder.open()
    await live.saveSession({ sessionId: 's', createdAt: at })
    expect(await live.loadSession('s')).not.toBeNull()
    await folder.open().changeSession('s', append('a'))
    renameSync(journal(), folder.path('s.rotated'))
    // One knew the session before there was a journal at all.
    expect(turnIdsOf(await live.loadSession('s'))).toEqual(['a'])
    expect((await live.changeSession('s', append('b'))).revision).toBe(3)
    for (const reader of [live, folder.open()]) expect(turnIdsOf(await reader.loadSession('s'))).toEqual(['a', 'b'])
    await live.close()
    expect(readdirSync(dirname(document())).toSorted()).toEqual(['.turnstore', 's.json'])
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a', 'b'])
  })

  it('a writer who knew nothing of a journal that was rotated meanwhile does not write its revision again', async () => {
    const live = folder.open()
    await live.saveSession({ sessionId: 's', createdAt: at })
    await live.loadSession('s')
    await folder.open().changeSession('s', append('a'))
    renameSync(journal(), folder.path('s.rotated'))
    expect((await live.changeSession('s', append('b'))).revision).toBe(3)
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a', 'b'])
  })

  it('the base may be no file, and our format no newer one', async () => {
    writeFileSync(folder.path('file'), '')
    expect((await failureOf(folder.open({}, folder.path('file')).listSessions())).code).toBe('INVALID_ARGUMENT')
    mkdirSync(folder.path('.turnstore'))
    for (const [format, code] of [
      ['{"version":2,"folds_case":false}', 'SCHEMA_TOO_NEW'],
      ['', 'STORE_UNAVAILABLE'],
    ] as const) {
      writeFileSync(folder.path('.turnstore', 'format'), format)
      expect(await failureOf(folder.open().saveSession({ sessionId: 's' }))).toMatchObject({ code, outcome: 'not-stored' })
      expect(readdirSync(folder.base).toSorted()).toEqual(['.turnstore', 'file'])
    }
  })
})
