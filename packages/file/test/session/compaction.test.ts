import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTurn, SessionManager, type TurnRecord } from '@turnstore/core'
import { describe, expect, it } from 'vitest'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { identify } from '../../src/disk/file-identity.ts'
import type { FileSessionStore } from '../../src/index.ts'
import { LockFolder } from '../../src/locks/lock-folder.ts'
import type { TurnPlace } from '../../src/session/turn-places.ts'
import { Layout } from '../../src/folder/layout.ts'
import { readTurnsAt } from '../../src/session/assemble-turns.ts'
import { refreshIndex } from '../../src/session/refresh-index.ts'
import { FilesChanged } from '../../src/disk/read-file.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const document = (): string => folder.path('s.json')
const journal = (): string => folder.path('s.journal')
const files = (): string[] => readdirSync(folder.base).toSorted()

async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    if (tries > 2000) throw new Error('it never came to that')
    await sleep(5)
  }
}

const large = (turnId: string): TurnRecord => createTurn({ turnId, prompt: 'x'.repeat(2000), metadata: { list: [1, { a: null }] } })

async function leaveLargeSession(turns: number): Promise<FileSessionStore> {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  const appendTurns = Array.from({ length: turns }, (_, i) => large(`t${i}`))
  await store.saveSession({ sessionId: 's', createdAt: at, turns: appendTurns })
  return store
}

describe('the journal becomes part of the document', () => {
  it('when the session ends', async () => {
    const manager = new SessionManager(folder.open())
    await manager.startSession({ sessionId: 's' })
    await manager.recordTurn('s', { turnId: 't' })
    expect(files()).toEqual(['.turnstore', 's.journal', 's.json'])
    await manager.endSession('s')
    await eventually(() => files().length === 2)
    expect(JSON.parse(readFileSync(document(), 'utf8'))).toMatchObject({ metadata: { ended: true }, revision: 3, turns: [{ turn_id: 't' }] })
  })

  it('once for an end, not for each change after it, and again when it has outgrown the document', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId: 't', prompt: 'x'.repeat(100_000) }] })
    await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
    await eventually(() => files().length === 2)
    const { ino } = statSync(folder.path('s.json'))
    for (let change = 0; change < 10; change++) {
      await store.changeSession('s', append(`after${change}`))
      await sleep(30)
      expect([change, statSync(document()).ino]).toEqual([change, ino])
    }
    await store.changeSession('s', { appendTurns: [{ turnId: 'long', prompt: 'x'.repeat(400_000) }], updatedAt: at })
    await eventually(() => files().length === 2)
    await store.changeSession('s', { setMetadata: { ended: false }, updatedAt: at })
    await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
    await eventually(() => files().length === 2)
  })

  it('when it has outgrown the document, while nobody waits for it', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    let bytes = 0
    for (let i = 0; !existsSync(document()) || statSync(document()).size < 100_000; i++) {
      await store.changeSession('s', { appendTurns: [large(`t${i}`)], updatedAt: at })
      bytes = Math.max(bytes, existsSync(journal()) ? statSync(journal()).size : 0)
      expect(i).toBeLessThan(2000)
    }
    expect(bytes).toBeGreaterThan(256 * 1024)
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(turnIdsOf(await store.loadSession('s')))
  })

  it('on close, and then there is one plain document a session', async () => {
    const store = folder.open()
    for (let i = 0; i < 20; i++) {
      await store.saveSession({ sessionId: `s${i}`, workspaceId: i % 2 ? 'w' : null, createdAt: at })
      await store.changeSession(`s${i}`, append('t'))
    }
    await store.close()
    const names = readdirSync(folder.base, { recursive: true, encoding: 'utf8' }).filter(name => !name.startsWith('.turnstore'))
    expect(names.filter(name => name !== 'w' && !name.endsWith('.json'))).toEqual([])
    expect(names.length).toBe(21)
  })

  it('on close, as far as there is time: what remains is complete, and compacted by who changes it next', async () => {
    const store = folder.open({ timeoutMs: 40 })
    const ids = Array.from({ length: 60 }, (_, i) => `s${i}`)
    for (const sessionId of ids) {
      await store.saveSession({ sessionId, createdAt: at })
      await store.changeSession(sessionId, append('t'))
    }
    const holder = folder.open()
    // One that others hold on to does not keep the rest from closing.
    const blocker = await new LockFolder(folder.path('.turnstore', 'locks')).acquire('s7', { deadline: performance.now() + 5000 })
    await store.close()
    blocker.release()
    for (const id of ids) expect(turnIdsOf(await holder.loadSession(id))).toEqual(['t'])
    for (const id of ids) await holder.changeSession(id, append('next'))
    await holder.close()
    expect(files().filter(name => !name.endsWith('.json'))).toEqual(['.turnstore'])
  })

  it('only by who wrote: reading and closing leaves all as it is', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    await folder.open().changeSession('s', append('t'))
    const before = statSync(document()).mtimeMs
    const reader = folder.open()
    await reader.loadSession('s')
    await reader.querySessions()
    await reader.close()
    expect(files()).toEqual(['.turnstore', 's.journal', 's.json'])
    expect(statSync(document()).mtimeMs).toBe(before)
  })

  it('in the form that the reference writes: indented by two, its keys in its order, then ours, and characters as they are', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at, updatedAt: at })
    await store.changeSession('s', {
      appendTurns: [{ turnId: 'ü', prompt: '日本語 🛫', toolCalls: [{ callId: 'c', toolName: 'f' }] }],
      appendAgentTransitions: [{ toAgent: 'b', transitionId: 'x' }],
      updatedAt: at,
    })
    await store.close()
    const session = {
      session_id: 's',
      workspace_id: null,
      created_at: at,
      updated_at: at,
      agent_id: null,
      turns: [
        {
          turn_id: 'ü',
          agent_id: null,
          prompt: '日本語 🛫',
          response_content: null,
          tool_calls: [
            {
              call_id: 'c',
              tool_name: 'f',
              arguments: {},
              result: null,
              status: 'success',
              error: null,
              duration_ms: null,
              sandbox_context: null,
              metadata: {},
            },
          ],
          started_at: '',
          ended_at: null,
          status: 'success',
          error: null,
          audit_event_ids: [],
          metadata: {},
        },
      ],
      agent_transitions: [{ from_agent: null, to_agent: 'b', reason: null, turn_id: '', timestamp: '', transition_id: 'x' }],
      metadata: {},
      parent_session_id: null,
      revision: 2,
      schema_version: 1,
    }
    expect(readFileSync(document(), 'utf8')).toBe(JSON.stringify(session, null, 2))
  })
})

describe('documents of another form', () => {
  const session = {
    session_id: 's',
    created_at: at,
    metadata: { text: '\n  "turns": [\n    {\n    }' },
    turns: [{ turn_id: 'a', tool_calls: [{ call_id: 'c', tool_name: 'f', result: [{ x: 1 }] }] }, { turn_id: 'b' }],
    new_key: [1],
  }
  const canonical = JSON.stringify(session, null, 2)
  const forms: [string, string][] = [
    ['minified', JSON.stringify(session)],
    ['indented by four', JSON.stringify(session, null, 4)],
    ['indented by tabs', JSON.stringify(session, null, '\t')],
    ['with CRLF', canonical.replaceAll('\n', '\r\n')],
    ['with blanks at the end', `${canonical}\n \n`],
    ['with turns on one line', canonical.replace(/"turns": \[[^]*\n {2}\],/, `"turns": ${JSON.stringify(session.turns)},`)],
    ['with keys in another order', JSON.stringify(Object.fromEntries(Object.entries(session).toReversed()), null, 2)],
    ['with lines that only look like turns', canonical.replace('"c",', '"c",\n    "x": {\n    },\n')],
    ['with escapes for ASCII', canonical.replace('"a"', String.raw`"\u0061"`)],
  ]

  it.each(forms)('%s are read, added to, updated, rewound and compacted', async (_name, text) => {
    writeFileSync(document(), text)
    const store = folder.open()
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'b'])
    expect((await store.readTurns('s', { turnId: 'a' }))?.turns[0]?.toolCalls[0]?.result).toEqual([{ x: 1 }])
    expect(await store.changeSession('s', append('d'))).toMatchObject({ revision: 2, turnCount: 3 })
    await store.changeSession('s', { updateTurns: [{ turnId: 'a', set: { status: 'error' } }], updatedAt: at })
    const before = await store.loadSession('s')
    expect(before).toMatchObject({ metadata: session.metadata, extra: { new_key: [1] }, revision: 3 })
    await store.close()
    expect(await folder.open().loadSession('s')).toEqual(before)
    await folder.once(again => again.changeSession('s', { keepTurns: 1, updatedAt: at }))
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a'])
    expect(JSON.parse(readFileSync(document(), 'utf8'))).toMatchObject({ new_key: [1], turns: [{ turn_id: 'a', status: 'error' }] })
  })
})

describe('while a compaction runs', () => {
  it('appends and reads go on, and the event loop does not stand still', async () => {
    const turns = 10_000
    const store = await leaveLargeSession(turns)
    await store.changeSession('s', append('before'))
    const time = async (work: () => Promise<unknown>): Promise<number> => {
      const began = performance.now()
      await work()
      return performance.now() - began
    }
    const whole = await time(() => folder.open().loadSession('s'))
    let appended = 0
    const besideOneCompaction = async (): Promise<{ waits: number[]; longestPause: number }> => {
      const inode = statSync(document()).ino
      await store.changeSession('s', { setMetadata: { ended: true, appended }, updatedAt: at })
      const delay = monitorEventLoopDelay({ resolution: 2 })
      const waits: number[] = []
      delay.enable()
      for (; statSync(document()).ino === inode; appended++) {
        waits.push(await time(() => store.changeSession('s', append(`beside ${appended}`))))
        expect((await store.readTurns('s', { last: 1 }))?.turns[0]?.turnId).toBe(`beside ${appended}`)
        expect(waits.length).toBeLessThan(100_000)
      }
      delay.disable()
      return { waits, longestPause: delay.max / 1e6 }
    }
    // Some took place beside it, and none waited for as long as it takes to read the whole session, let alone to write
    // it. Looked for more than once, since a disk that stalls holds up an append as it does a compaction.
    let isShown = false
    for (let attempt = 0; attempt < 10 && !isShown; attempt++) {
      const { waits, longestPause } = await besideOneCompaction()
      const median = waits.toSorted((x, y) => x - y)[waits.length >> 1] ?? Infinity
      isShown = waits.length > 5 && median < whole / 10 && longestPause < whole
    }
    expect(isShown).toBe(true)
    await store.close()
    expect(files()).toEqual(['.turnstore', 's.json'])
    expect((await folder.open().loadSummary('s'))?.turnCount).toBe(turns + 1 + appended)
  })

  it('two processes may compact one session at once, over and over', async () => {
    await leaveLargeSession(200)
    const code = (name: string): string => `for (let i = 0; i < 25; i++) {
        await store.changeSession('s', append('${name}' + i))
        await store.changeSession('s', { setMetadata: { ended: true, by: '${name}' + i }, updatedAt: at })
      }
      await store.close(); say('done')`
    const children = ['a', 'b'].map(name => folder.run(code(name)))
    for (const child of children) expect(await child.rest()).toEqual(['done'])
    const ids = turnIdsOf(await folder.open().loadSession('s')) ?? []
    for (const name of ['a', 'b']) {
      expect(ids.filter(id => id.startsWith(name))).toEqual(Array.from({ length: 25 }, (_, i) => `${name}${i}`))
    }
    expect(ids.length).toBe(250)
    expect(files()).toEqual(['.turnstore', 's.json'])
  })

  it('readers in another process see one state after the other, none twice, none half', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    const reader = folder.run(`let last = { turnCount: -1, revision: 0 }, looks = 0
      const check = (name, { turnCount, revision }, turns) => {
        if (turnCount < last.turnCount || revision < last.revision) say('back in ' + name)
        // Each change adds a turn, but for those that end the session.
        if (turns && turns.some((turn, i) => turn.turnId !== 't' + (i + turnCount - turns.length))) say('a gap in ' + name)
        last = { turnCount, revision }; looks++
      }
      say('ready')
      process.stdin.on('data', () => { say('looks ' + looks); process.exit() })
      for (let i = 0; ; i++) {
        const session = await store.loadSession('s'); check('load', { turnCount: session.turns.length, revision: session.revision }, session.turns)
        const page = await store.readTurns('s', { last: 3 }); check('readTurns', page, page.turns)
        check('summary', await store.loadSummary('s'))
        const fresh = open(); const again = await fresh.loadSession('s'); check('a fresh handle', { turnCount: again.turns.length, revision: again.revision }, again.turns); await fresh.close()
        check('a listing', (await store.querySessions()).sessions[0])
      }`)
    expect(await reader.line()).toBe('ready')
    for (let i = 0; i < 400; i++) {
      await store.changeSession('s', append(`t${i}`))
      // Ends it, so that each change is compacted from here on, or no more.
      if (i % 20 === 10) await store.changeSession('s', { setMetadata: { ended: i % 40 === 10 }, updatedAt: at })
    }
    reader.tell('enough')
    const lines = await reader.rest()
    expect(reader.errors).toBe('')
    expect(lines).toEqual([expect.stringMatching(/^looks \d+$/)])
    expect(Number(lines[0]?.slice(6))).toBeGreaterThan(3)
  })
})

it('a turn is never read out of a journal that took over the inode of the one before', async () => {
  const layout = new Layout(folder.base, false)
  const paths = layout.pathsForNew('s', null)
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.changeSession('s', append('before'))
  const index = await refreshIndex(null, paths, layout)
  if (index === null) throw new Error('not found')
  const { places, document: known } = index.snapshot()
  expect((await readTurnsAt(places, known, paths))[0]?.turnId).toBe('before')
  const old = readFileSync(journal())
  await store.changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
  await eventually(() => !existsSync(journal()) && !existsSync(folder.path('s.rotated')))
  // A new file often gets the inode that was freed last; here for certain.
  writeFileSync(journal(), '')
  const other = Buffer.from(old.toString('latin1').replaceAll('before', 'behind'), 'latin1')
  const identity = identify(journal())?.file ?? ''
  writeFileSync(journal(), other)
  const moved = places.map(place => movedTo(place, identity))
  await expect(readTurnsAt(moved, known, paths)).rejects.toThrow(FilesChanged)
})

function movedTo(place: TurnPlace, identity: string): TurnPlace {
  if (place.base.kind !== 'record') return place
  const span = { ...place.base.span, journal: { ...place.base.span.journal, identity } }
  return { ...place, base: { ...place.base, span } }
}

it('looking for a session in thousands of workspaces lets others run', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  for (let workspace = 0; workspace < 5000; workspace++) mkdirSync(folder.path(`w${workspace}`))
  for (const call of [() => store.loadSession('none'), () => store.saveSession({ sessionId: 'new' })]) {
    let turns = 0
    const ticking = setInterval(() => turns++, 1)
    await call()
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(1)
  }
})

describe('names', () => {
  const ids = [
    '../x', '..', '.', '/etc/passwd', 'a/../../b', '..\\x', 'C:x', '\\\\?\\C:\\x', 'CON', 'NUL.json', 'COM1 ', 'COM¹', 'a.', 'a ', 'a:stream',
    '%2e%2e%2f', '%252e', '%2E', '%', 'ß', 'ss', 'A', 'a', 'ﬁ', 'fi', 'İ', 'i̇', '\u00e9', 'e\u0301', 'x'.repeat(200), '😀'.repeat(50), '\u202e',
    '\u200b', 'x.json', 'x', '.hidden', '-rf', '~', '__proto__', 'constructor', 'toString', '{a}b', '*', '?', '[a-z]', '"', '<>|', ' a', "x') OR '1'='1",
    'x.journal', 'x.rotated', '.turnstore', 'a.json', `%h${'0'.repeat(64)}`, ':'.repeat(200), '%'.repeat(200), '/'.repeat(199), 'ü'.repeat(100),
  ]

  it('every id works as a session’s and as a workspace’s, is listed as it is, and none leaves the folder', async () => {
    const base = folder.path('base')
    const store = folder.open({}, base)
    for (const [i, id] of ids.entries()) {
      await store.saveSession({ sessionId: id, metadata: { i } }, { ifRevision: 0 })
      await store.saveSession({ sessionId: `in ${i}`, workspaceId: id }, { ifRevision: 0 })
      await store.changeSession(id, append('t'))
      await store.changeSession(`in ${i}`, append('t'))
    }
    for (const handle of [store, folder.open({}, base)]) {
      expect((await handle.listSessions({ workspaceId: null })).toSorted()).toEqual(ids.toSorted())
      for (const [i, id] of ids.entries()) {
        expect(await handle.loadSession(id)).toMatchObject({ sessionId: id, metadata: { i }, turns: [{ turnId: 't' }] })
        expect(await handle.listSessions({ workspaceId: id })).toEqual([`in ${i}`])
        expect((await handle.querySessions({ workspaceId: id })).sessions.map(session => session.sessionId)).toEqual([`in ${i}`])
      }
      await handle.close()
    }
    expect(readdirSync(folder.base)).toEqual(['base'])
    for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' })) expect(name.split('/').length).toBeLessThan(4)
    // What the reference takes for a session is one.
    const documents = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
    expect(documents.length).toBe(2 * ids.length)
    for (const id of ids) expect(await folder.open({}, base).deleteSession(id)).toBe(true)
  })

  it('names as the reference writes them are found and listed, and compacted where they are', async () => {
    const found: [string, string | null][] = [
      ['a:b', null], ['A', null], ['a', null], ['a%2fb', null], ['a%2Fb', null], ['%2E', null], ['CON', null], ['.hidden', null], ['a?', null],
      ['one', 'a:b'], ['two', 'A%2F'], ['three', '.hidden'], ['four', '%2E'],
    ]
    for (const [sessionId, workspaceId] of found) {
      const path = folder.path(workspaceId ?? '.', `${sessionId}.json`)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, JSON.stringify({ session_id: sessionId, workspace_id: workspaceId, created_at: at }, null, 2))
    }
    const store = folder.open()
    const check = async (handle: FileSessionStore, turns: number): Promise<void> => {
      expect((await handle.listSessions()).toSorted()).toEqual(found.map(([id]) => id).toSorted())
      for (const [sessionId, workspaceId] of found) {
        expect((await handle.loadSession(sessionId, { workspaceId }))?.turns.length).toBe(turns)
        expect(await handle.listSessions({ workspaceId })).toContain(sessionId)
      }
      for (const workspaceId of ['a:b', 'A%2F', '.hidden', '%2E']) expect(await handle.listSessions({ workspaceId })).toHaveLength(1)
      expect((await handle.querySessions()).damaged).toBeUndefined()
    }
    await check(store, 0)
    for (const [sessionId] of found) await store.changeSession(sessionId, append('t'))
    await check(store, 1)
    await store.close()
    await check(folder.open(), 1)
    for (const [sessionId, workspaceId] of found) expect(existsSync(folder.path(workspaceId ?? '.', `${sessionId}.json`))).toBe(true)
    expect(await folder.open().loadSession('a/b')).toBeNull()
    expect(await folder.open().loadSession('.')).toBeNull()
  })

  it('a session whose name is taken by one of the reference gets another, and neither is lost', async () => {
    for (const id of ['%2E', 'a%2Fb']) writeFileSync(folder.path(`${id}.json`), JSON.stringify({ session_id: id, created_at: at }, null, 2))
    const store = folder.open()
    for (const id of ['.', 'a/b']) {
      expect(await store.saveSession({ sessionId: id }, { ifRevision: 0 })).toBe(1)
      await store.changeSession(id, append('t'))
    }
    const ids = ['.', 'a/b', '%2E', 'a%2Fb'].toSorted()
    for (const handle of [store, folder.open()]) {
      expect((await handle.listSessions()).toSorted()).toEqual(ids)
      expect((await handle.querySessions()).sessions.map(each => each.sessionId).toSorted()).toEqual(ids)
      for (const id of ids) expect((await handle.loadSession(id))?.turns.length).toBe(id.includes('%') ? 0 : 1)
    }
    await store.close()
    for (const id of ids) expect(await folder.open().deleteSession(id)).toBe(true)
    expect(await folder.open().listSessions()).toEqual([])
  })
})
