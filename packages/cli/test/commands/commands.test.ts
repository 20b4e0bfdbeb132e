import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { openStore } from 'turnstore'
import { describe, expect, it } from 'vitest'
import { decodeSession, type SessionInput, type SessionRecord } from '@turnstore/core'
import { Cli } from '../../src/terminal/cli.ts'
import { run } from '../../src/program.ts'
import {
  finished,
  parseObject,
  parseObjects,
  Printed,
  start,
  temporaryFolder,
  temporaryStore,
  turnstore,
} from '../turnstore.ts'

const support: SessionInput = {
  sessionId: 'support',
  workspaceId: 'acme',
  agentId: 'front',
  createdAt: '2026-01-01T10:00:00Z',
  updatedAt: '2026-01-01T10:05:00Z',
  metadata: { lang: 'en' },
  turns: [
    {
      turnId: 'a',
      prompt: 'Where is it?',
      responseContent: 'On its way',
      toolCalls: [
        { callId: 'c1', toolName: 'track', arguments: { id: 7 }, result: { place: 'depot' }, durationMs: 12 },
      ],
      startedAt: '2026-01-01T10:00:00Z',
      endedAt: '2026-01-01T10:01:00Z',
    },
    { turnId: 'b', prompt: 'Thanks', status: 'running', startedAt: '2026-01-01T10:04:00Z' },
  ],
  agentTransitions: [
    {
      transitionId: 'x',
      fromAgent: 'front',
      toAgent: 'shipping',
      reason: 'trace',
      turnId: 'a',
      timestamp: '2026-01-01T10:00:30Z',
    },
  ],
}
const plain = (sessionId: string, more: Partial<SessionInput> = {}): SessionInput => ({
  sessionId,
  createdAt: '2026-02-01T00:00:00Z',
  updatedAt: '2026-02-01T00:00:00Z',
  turns: [{ turnId: 't1', prompt: 'Hello' }],
  ...more,
})

async function filled(...sessions: SessionInput[]): Promise<string> {
  const url = temporaryStore()
  await save(url, ...sessions)
  return url
}

async function save(url: string, ...sessions: SessionInput[]): Promise<void> {
  await using store = await openStore(url)
  for (const session of sessions) await store.saveSession(session)
}

async function contents(url: string): Promise<SessionRecord[]> {
  const { stdout } = await turnstore(['export'], { url })
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => decodeSession(JSON.parse(line)))
}

describe('ls', () => {
  it('lists the most recently changed first, in columns', async () => {
    const url = await filled(support, plain('日本語 x', { metadata: { ended: true } }))
    expect((await turnstore(['ls'], { url })).stdout).toBe(
      [
        'SESSION   WORKSPACE  AGENT  STATUS          TURNS  UPDATED               TITLE  LAST PROMPT',
        '日本語 x  -          -      success, ended      1  2026-02-01T00:00:00Z  -      Hello',
        'support   acme       front  running             2  2026-01-01T10:05:00Z  -      Thanks',
        '',
      ].join('\n'),
    )
  })

  it('--json prints an array of summaries', async () => {
    const url = await filled(support, plain('b'))
    const summaries = parseObjects((await turnstore(['ls', '--json'], { url })).stdout)
    expect(summaries.map(({ session_id: id, turn_count: turns }) => [id, turns])).toEqual([
      ['b', 1],
      ['support', 2],
    ])
    expect((await turnstore(['ls', '--json'], { url: `file:${temporaryFolder()}` })).stdout).toBe('[]\n')
  })

  it('filters by workspace, agent and end, and stops at the limit', async () => {
    const url = await filled(support, plain('b'), plain('c', { metadata: { ended: true } }))
    const listed = async (...args: string[]): Promise<unknown[]> =>
      parseObjects((await turnstore(['ls', '--json', ...args], { url })).stdout).map(({ session_id: id }) => id)
    expect(await listed('--workspace', 'acme')).toEqual(['support'])
    expect(await listed('--agent', 'front')).toEqual(['support'])
    expect(await listed('--ended')).toEqual(['c'])
    expect(await listed('--no-ended')).toEqual(['b', 'support'])
    expect(await listed('--limit', '2')).toEqual(['c', 'b'])
  })

  it('reports a damaged session, and lists the others', async () => {
    const url = await filled(support, plain('b'))
    writeFileSync(join(url.slice('file:'.length), 'b.json'), '{"session_id": SECRET')
    const { code, stdout, stderr } = await turnstore(['ls', '--json'], { url })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject([{ session_id: 'support' }])
    expect(stderr).toMatch(/Session b cannot be read/)
    expect(stderr).not.toContain('SECRET')
  })
})

describe('show', () => {
  it('a timeline is the default', async () => {
    const url = await filled(support)
    expect((await turnstore(['show', 'support'], { url })).stdout).toBe(
      [
        'support  (workspace acme, agent front)',
        '2 turns, 1 tool call, 1 agent transition',
        '',
        '1. a  2026-01-01T10:00:00Z',
        '   > Where is it?',
        '   * track {"id":7} = {"place":"depot"}',
        '   @ agent transition from front to shipping: trace  2026-01-01T10:00:30Z',
        '   < On its way  2026-01-01T10:01:00Z',
        '',
        '2. b  2026-01-01T10:04:00Z  [running]',
        '   > Thanks',
        '',
      ].join('\n'),
    )
  })

  it('--format json prints the record, chat the messages, markdown the full text', async () => {
    const url = await filled(support)
    const shown = async (format: string): Promise<string> =>
      (await turnstore(['show', 'support', '--format', format], { url })).stdout
    expect(decodeSession(JSON.parse(await shown('json')))).toEqual((await contents(url))[0])
    expect(JSON.parse(await shown('chat'))).toHaveLength(5)
    expect(await shown('markdown')).toContain('### Tool call `track` (`c1`): `success`, 12 ms')
    expect((await turnstore(['show', 'support', '--json'], { url })).stdout).toBe(await shown('json'))
  })

  it('reports a session that does not exist or is in another workspace, with exit code 1', async () => {
    const url = await filled(support)
    for (const args of [['nope'], ['support', '--workspace', 'globex']]) {
      expect(await turnstore(['show', ...args], { url })).toMatchObject({
        code: 1,
        stdout: '',
        stderr: `Session not found: ${args[0]}\n`,
      })
    }
  })

  it('escapes control characters of stored content in every format, in lists and in errors', async () => {
    const evil = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e\u0000\r'
    const url = await filled({
      ...support,
      metadata: { [evil]: evil },
      turns: [
        {
          turnId: 'x',
          prompt: evil,
          responseContent: evil,
          error: evil,
          status: evil,
          toolCalls: [
            {
              callId: evil,
              toolName: evil,
              arguments: { [evil]: evil },
              result: evil,
              error: evil,
              metadata: { argumentsText: evil },
            },
          ],
        },
      ],
      agentTransitions: [{ toAgent: evil, fromAgent: evil, reason: evil }],
    })
    const runs = [
      ['ls'],
      ['ls', '--json'],
      ['export'],
      ['show', evil],
      ...['timeline', 'markdown', 'json', 'chat'].map(format => ['show', 'support', '--format', format]),
    ]
    for (const args of runs) {
      const { stdout, stderr } = await turnstore(
        args.map(arg => arg.replaceAll('\0', '')),
        { url },
      )
      // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
    }
    expect((await contents(url))[0]?.turns[0]?.prompt).toBe(evil)
  })
})

describe('export', () => {
  it('prints the given sessions, and reports those that do not exist', async () => {
    const url = await filled(support, plain('b'), plain('c'))
    const { code, stdout, stderr } = await turnstore(['export', 'c', 'nope', 'support'], { url })
    expect([code, stderr]).toEqual([1, 'Session not found: nope\n'])
    expect(parseObjects(stdout).map(({ session_id: id }) => id)).toEqual(['c', 'support'])
    expect((await turnstore(['export', '--workspace', 'acme'], { url })).stdout.trim().split('\n')).toHaveLength(1)
  })

  it('reports when its output cannot be written, as on a full disk', async () => {
    const full = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write'), { code: 'ENOSPC' })),
    })
    const stderr = new Printed()
    const env = { TURNSTORE_URL: await filled(support, plain('b')) }
    const code = await run(new Cli({ stdin: Readable.from([]), stdout: full, stderr, env }), ['export'])
    expect([code, await stderr.whole()]).toEqual([1, 'Cannot write the output (ENOSPC)\n'])
  })

  it('ends cleanly when the reader closes the pipe', async () => {
    const url = temporaryStore()
    const prompt = 'x'.repeat(500_000)
    await save(
      url,
      ...Array.from({ length: 20 }, (_, index) => plain(`s${index}`, { turns: [{ turnId: 't', prompt }] })),
    )
    const child = start(['export'], { TURNSTORE_URL: url })
    child.stdout?.once('data', () => child.stdout?.destroy())
    expect(await finished(child)).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('copy', () => {
  it('copies everything except the revision, and a second run adds nothing', async () => {
    const url = await filled(support, plain('b'))
    {
      await using store = await openStore(url)
      await store.changeSession('support', { setMetadata: { score: 1 }, updatedAt: '2026-01-02T00:00:00Z' })
    }
    const to = temporaryStore()
    expect(await turnstore(['copy', '--from', url, '--to', to])).toMatchObject({
      code: 0,
      stdout: '2 sessions: 2 added, 0 grown, 0 unchanged\n',
    })
    const copies = await contents(to)
    expect(copies.map(copy => ({ ...copy, revision: 0 }))).toEqual(
      (await contents(url)).map(session => ({ ...session, revision: 0 })),
    )
    expect(copies.map(({ revision }) => revision)).toEqual([1, 1])
    expect(await turnstore(['copy', '--to', to], { url })).toMatchObject({
      code: 0,
      stdout: '2 sessions: 0 added, 0 grown, 2 unchanged\n',
    })
    expect(await contents(to)).toEqual(copies)
  })

  it('a second run adds only what is missing: sessions, turns, the end of a turn, agent transitions, metadata', async () => {
    const url = await filled(support)
    const to = temporaryStore()
    await turnstore(['copy', '--from', url, '--to', to])
    {
      await using store = await openStore(url)
      await store.changeSession('support', {
        updateTurns: [
          {
            turnId: 'b',
            set: { status: 'success', responseContent: 'You are welcome', endedAt: '2026-01-01T10:06:00Z' },
            putToolCalls: [{ callId: 'c2', toolName: 'close' }],
          },
        ],
        appendTurns: [{ turnId: 'c', prompt: 'Bye' }],
        appendAgentTransitions: [{ toAgent: 'front', turnId: 'c' }],
        setMetadata: { ended: true },
        updatedAt: '2026-01-01T10:06:00Z',
      })
      await store.saveSession(plain('new'))
    }
    expect(await turnstore(['copy', '--from', url, '--to', to])).toMatchObject({
      code: 0,
      stdout: '2 sessions: 1 added, 1 grown, 0 unchanged\n',
    })
    const drop = (sessions: SessionRecord[]): SessionRecord[] => sessions.map(session => ({ ...session, revision: 0 }))
    expect(drop(await contents(to))).toEqual(drop(await contents(url)))
  })

  it.each<[string, Partial<SessionInput>]>([
    ['a turn', { turns: [{ turnId: 't' }, { turnId: 't' }] }],
    ['a turn with other content', { turns: [{ turnId: 't' }, { turnId: 't', prompt: 'SECRET' }] }],
    [
      'an agent transition',
      {
        turns: [{ turnId: 't' }],
        agentTransitions: [
          { transitionId: 'x', toAgent: 'a' },
          { transitionId: 'x', toAgent: 'b' },
        ],
      },
    ],
  ])('%s that has come to a source with an id that it had is added, once', async (_what, more) => {
    const { turns = [], agentTransitions = [] } = more
    const url = await filled(plain('a', { turns: turns.slice(0, 1), agentTransitions: agentTransitions.slice(0, 1) }))
    const to = temporaryStore()
    await turnstore(['copy', '--from', url, '--to', to])
    {
      await using store = await openStore(url)
      await store.saveSession(plain('a', more))
      await store.saveSession(plain('b'))
    }
    for (const counts of ['1 added, 1 grown, 0 unchanged', '0 added, 0 grown, 2 unchanged']) {
      const { code, stdout, stderr } = await turnstore(['copy', '--from', url, '--to', to])
      expect([code, stdout, stderr]).toEqual([0, `2 sessions: ${counts}\n`, ''])
    }
    expect((await contents(to)).map(session => ({ ...session, revision: 0 }))).toEqual(
      (await contents(url)).map(session => ({ ...session, revision: 0 })),
    )
  })

  it.each<[string, SessionInput, string]>([
    [
      'another turn',
      { ...support, turns: [{ turnId: 'a', prompt: 'SECRET' }] },
      'turn 1 (a), which has another prompt',
    ],
    ['other metadata', { ...support, metadata: { lang: 'SECRET' } }, 'its metadata'],
    ['another agent', { ...support, agentId: 'SECRET' }, 'its agent'],
    ['another parent', { ...support, parentSessionId: 'SECRET' }, ''],
    ['more turns', { ...support, turns: [...(support.turns ?? []), { turnId: 'z', prompt: 'SECRET' }] }, ''],
    ['more metadata', { ...support, metadata: { lang: 'en', more: 'SECRET' } }, ''],
    ['another beginning', { ...support, createdAt: '1999-01-01T00:00:00Z' }, ''],
  ])('a target that has %s keeps it, and the rest is copied', async (_name, other, where) => {
    const url = await filled(support, plain('b'))
    const to = await filled(other)
    const before = await contents(to)
    const { code, stdout, stderr } = await turnstore(['copy', '--from', url, '--to', to])
    const note = where === '' ? '' : ' (1 with contradictions)'
    expect([code, stdout]).toEqual([where === '' ? 0 : 1, `2 sessions: 1 added, 0 grown, 1 unchanged${note}\n`])
    const line = `Session support: the target has different content in ${where}; it was not changed\n`
    expect(stderr).toBe(where === '' ? '' : line)
    expect((await contents(to)).find(({ sessionId }) => sessionId === 'support')).toEqual(before[0])
  })

  it.each<[string, SessionInput]>([
    ['another workspace', { ...support, workspaceId: 'SECRET' }],
    ['no workspace', { ...support, workspaceId: null }],
  ])('a target that has %s is left alone, and the rest is copied', async (_name, other) => {
    const url = await filled(support, plain('b'))
    const to = await filled(other)
    const before = await contents(to)
    const { code, stdout, stderr } = await turnstore(['copy', '--from', url, '--to', to])
    expect([code, stdout]).toEqual([1, '2 sessions: 1 added, 0 grown, 0 unchanged, 1 left alone\n'])
    expect(stderr).toMatch(/^Left alone: session support\. .+\n$/)
    expect(stderr).not.toContain('SECRET')
    expect((await contents(to)).find(({ sessionId }) => sessionId === 'support')).toEqual(before[0])
  })

  it('adds the agent transitions of the source to those of the target', async () => {
    const url = await filled(support)
    const to = await filled({ ...support, agentTransitions: [{ toAgent: 'billing' }] })
    expect(await turnstore(['copy', '--from', url, '--to', to])).toMatchObject({
      code: 0,
      stdout: '1 session: 0 added, 1 grown, 0 unchanged\n',
    })
    const [copy] = await contents(to)
    expect(copy?.agentTransitions.map(({ toAgent }) => toAgent)).toEqual(['billing', 'shipping'])
  })

  it('--workspace copies only that workspace, and reports a damaged session', async () => {
    const url = await filled(support, plain('b'))
    const to = temporaryStore()
    expect((await turnstore(['copy', '--from', url, '--to', to, '--workspace', 'acme', '--json'])).stdout).toContain(
      '"added": 1',
    )
    writeFileSync(join(url.slice('file:'.length), 'b.json'), 'SECRET')
    const { code, stderr } = await turnstore(['copy', '--from', url, '--to', to])
    expect(code).toBe(1)
    expect(stderr).toMatch(/Session b cannot be read/)
    expect(stderr).not.toContain('SECRET')
  })

  it('refuses to copy a store to itself', async () => {
    const url = await filled(support)
    expect(await turnstore(['copy', '--from', url, '--to', url])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('rm and prune', () => {
  const many = Array.from({ length: 2000 }, (_, index) => `s${String(index).padStart(4, '0')}`)

  it('rm deletes the given sessions, prints them, and reports those that do not exist', async () => {
    const url = await filled(support, plain('b'), plain('c'))
    expect(await turnstore(['rm', 'b', 'nope', 'c'], { url })).toMatchObject({
      code: 1,
      stdout: 'Deleted b\nDeleted c\n',
      stderr: 'Session not found: nope\n',
    })
    expect((await contents(url)).map(({ sessionId }) => sessionId)).toEqual(['support'])
  })

  it('rm --workspace deletes only sessions in the workspace', async () => {
    const url = await filled(support, plain('b'), plain('c', { workspaceId: 'globex' }))
    expect(await turnstore(['rm', '--workspace', 'acme'], { url })).toMatchObject({
      code: 0,
      stdout: 'Deleted support\n1 session deleted\n',
    })
    expect(await turnstore(['rm', 'b', '--workspace', 'globex'], { url })).toMatchObject({
      code: 1,
      stderr: 'Session not found: b\n',
    })
    expect((await contents(url)).map(({ sessionId }) => sessionId).toSorted()).toEqual(['b', 'c'])
  })

  it.each([
    ['rm', ['rm', 'a', 'b', 'nope', 'c'], 'Deleted a\nDeleted c\n', ['Session not found: nope']],
    ['rm --workspace', ['rm', '--workspace', 'acme'], 'Deleted a\nDeleted c\n2 sessions deleted\n', []],
    ['prune', ['prune', '--ended'], 'Deleted a\nDeleted c\n2 sessions deleted\n', []],
  ])('%s reports a damaged session and continues', async (_name, args, stdout, besides) => {
    const ended = { workspaceId: 'acme', metadata: { ended: true } }
    const url = await filled(...['a', 'b', 'c'].map(id => plain(id, ended)))
    const damaged = join(url.slice('file:'.length), 'acme', 'b.json')
    writeFileSync(damaged, 'SECRET')
    const result = await turnstore(args, { url })
    expect([result.code, result.stdout]).toEqual([1, stdout])
    expect(result.stderr.split('\n').filter(Boolean)).toEqual([
      expect.stringMatching(/^Not (deleted|listed): .*b\b.* cannot be read/),
      ...besides,
    ])
    expect(result.stderr).not.toContain('SECRET')
    expect(readFileSync(damaged, 'utf8')).toBe('SECRET')
  })

  it('rm --even-if-damaged deletes a damaged session', async () => {
    const url = await filled(...['a', 'b'].map(id => plain(id)))
    writeFileSync(join(url.slice('file:'.length), 'b.json'), 'SECRET')
    const refused = await turnstore(['rm', 'b'], { url })
    expect([refused.code, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr).toContain('--even-if-damaged')
    const result = await turnstore(['rm', 'b', '--even-if-damaged'], { url })
    expect(result).toMatchObject({ code: 0, stdout: 'Deleted b\n', stderr: '' })
    expect((await turnstore(['ls'], { url })).stdout).not.toMatch(/^b /m)
  })

  it.each([
    ['rm', ['rm', 'a', 'b', 'nope', 'c'], { deleted: ['a', 'c'], missing: ['nope'] }],
    ['rm --workspace', ['rm', '--workspace', 'acme'], { deleted: ['a', 'c'] }],
    ['prune', ['prune', '--ended'], { deleted: ['a', 'c'] }],
  ])('%s --json prints what was done despite a damaged session', async (_name, args, done) => {
    const ended = { workspaceId: 'acme', metadata: { ended: true } }
    const url = await filled(...['a', 'b', 'c'].map(id => plain(id, ended)))
    writeFileSync(join(url.slice('file:'.length), 'acme', 'b.json'), '{')
    const { code, stdout } = await turnstore([...args, '--json'], { url })
    expect([code, parseObject(stdout)]).toEqual([1, { complete: true, ...done }])
  })

  it.each([
    ['rm', ['rm', ...many]],
    ['rm --json', ['rm', '--json', ...many]],
    ['rm --workspace', ['rm', '--workspace', 'acme']],
    ['prune', ['prune', '--ended']],
    ['prune --json', ['prune', '--ended', '--json']],
  ])('Ctrl-C ends %s with code 130, and all deletions until then are reported', async (_name, args) => {
    const url = `sqlite:${join(temporaryFolder(), 'sessions.db')}`
    await using store = await openStore(url)
    await Promise.all(many.map(id => store.saveSession(plain(id, { workspaceId: 'acme', metadata: { ended: true } }))))
    const child = start(args, { TURNSTORE_URL: url })
    const done = finished(child)
    while ((await store.listSessions()).length === many.length) await setTimeout(1)
    child.kill('SIGINT')
    const { code, stdout, stderr } = await done
    expect([code, stderr]).toEqual([130, ''])
    const left = new Set(await store.listSessions())
    expect(left.size).toBeGreaterThan(0)
    const lines = stdout.split('\n').filter(line => line.startsWith('Deleted '))
    const reported = stdout.startsWith('{')
      ? parseObject(stdout).deleted
      : lines.map(line => line.slice('Deleted '.length))
    expect(reported).toEqual(many.filter(id => !left.has(id)))
  })

  it('nothing is deleted without ids, a workspace or a filter', async () => {
    const url = await filled(support, plain('b'))
    expect((await turnstore(['rm'], { url })).code).toBe(2)
    expect((await turnstore(['rm', '--workspace', ''], { url })).code).toBe(2)
    expect((await turnstore(['prune'], { url })).code).toBe(2)
    expect((await turnstore(['prune', '--workspace', 'acme'], { url })).code).toBe(2)
    expect(await contents(url)).toHaveLength(2)
  })

  it('prune deletes sessions last changed before a time, or longer ago than an age', async () => {
    const recent = new Date().toISOString()
    const sessions = [
      support,
      plain('b'),
      plain('new', { updatedAt: recent }),
      plain('timeless', { createdAt: '', updatedAt: '' }),
    ]
    const url = await filled(...sessions)
    expect(await turnstore(['prune', '--before', '2026-01-02'], { url })).toMatchObject({
      code: 0,
      stdout: 'Deleted support\n1 session deleted\n',
    })
    expect((await turnstore(['prune', '--older-than', '1w', '--json'], { url })).stdout).toBe(
      '{\n  "complete": true,\n  "deleted": [\n    "b"\n  ]\n}\n',
    )
    expect((await contents(url)).map(({ sessionId }) => sessionId).toSorted()).toEqual(['new', 'timeless'])
  })

  it('prune --ended deletes ended sessions, only in the workspace if one is given', async () => {
    const ended = { metadata: { ended: true } }
    const url = await filled(plain('a', { ...ended, workspaceId: 'acme' }), plain('b', ended), plain('c'))
    expect((await turnstore(['prune', '--ended', '--workspace', 'acme'], { url })).stdout).toContain('Deleted a')
    expect((await contents(url)).map(({ sessionId }) => sessionId)).toEqual(['b', 'c'])
  })
})

describe('usage', () => {
  it.each([
    [[]],
    [['nope']],
    [['help', 'nope']],
    [['help', 'ls', 'nope']],
    [['ls', '--nope']],
    [['ls', 'x']],
    [['show']],
    [['show', 'x', '--format', 'xml']],
    [['ls', '--limit', '0']],
    [['ls', '--limit', '1.5']],
    [['import']],
    [['copy']],
    [['prune', '--before', 'yesterday']],
    [['prune', '--before', '2026-02-30']],
    [['prune', '--before', '2026-01-01T24:00:00Z']],
    [['prune', '--older-than', '30']],
    [['prune', '--older-than', '999999w']],
    [['prune', '--older-than', '1d', '--before', '2026-01-01']],
    [['ls', '--store', 'nope']],
    [['ls', '--store', 'mongodb://u:SECRET@h']],
    [['ls', '--store', 'file:']],
    [['ls', '--store', 'file://host/x']],
    [['ls', '--to=redis://u:SECRET@h']],
    [['ls', '--workspace', '']],
    [['show', '']],
  ])('%j is refused with one message and exit code 2', async args => {
    const { code, stdout, stderr } = await turnstore(args, {
      url: args.includes('--store') ? 'memory:' : `file:${temporaryFolder()}`,
    })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).not.toBe('')
    expect(stderr).not.toContain('SECRET')
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it('help refuses an unknown command', async () => {
    expect(await turnstore(['help', 'nope'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "error: unknown command 'nope'\n",
    })
  })

  it('without a store, the error says how to give one', async () => {
    expect(await turnstore(['ls'])).toMatchObject({
      code: 2,
      stderr: 'No store given: use --store URL or set TURNSTORE_URL\n',
    })
  })

  it('a separate process prints the same and exits with the same code', async () => {
    const url = await filled(support)
    const runs = [['ls'], ['show', 'support'], ['show', 'nope'], ['ls', '--nope'], ['nope'], ['--help'], ['help'], []]
    for (const args of runs) {
      const { signal, ...result } = await finished(start(args, { TURNSTORE_URL: url }))
      expect([args, signal, result]).toEqual([args, null, await turnstore(args, { url })])
    }
  })

  it('help and version succeed, and each command has an example in its help', async () => {
    const { code, stdout } = await turnstore(['--help'])
    expect([code, stdout.includes('TURNSTORE_URL')]).toEqual([0, true])
    expect(await turnstore(['help'])).toEqual({ code, stdout, stderr: '' })
    expect((await turnstore(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+/)
    const folder = fileURLToPath(new URL('../../src/commands/', import.meta.url))
    for (const file of readdirSync(folder)) {
      const command = file.replace('.ts', '')
      const help = await turnstore([command, '--help'])
      expect(help).toMatchObject({ code: 0, stderr: '' })
      expect(help.stdout).toContain(`$ turnstore ${command}`)
      expect(await turnstore(['help', command])).toEqual(help)
    }
  })
})

describe('openStore', () => {
  it('accepts a plain path and a file URL', async () => {
    const folder = join(temporaryFolder(), 'with space%20')
    mkdirSync(folder)
    await save(`file:${folder}`, plain('a'))
    await using store = await openStore(`file://${folder.replaceAll('%', '%25').replaceAll(' ', '%20')}`)
    expect(await store.listSessions()).toEqual(['a'])
  })

  it('opens a separate memory store each time', async () => {
    await using store = await openStore('memory:')
    await store.saveSession(plain('a'))
    await using other = await openStore('memory:')
    expect(await other.listSessions()).toEqual([])
  })

  it.each(['', 'sessions', './x', 'mongodb://u:SECRET@h', 'SECRET:x', 'user:SECRET@host'])(
    'refuses %j without repeating it',
    async url => {
      const opening = openStore(url)
      await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(opening).rejects.toThrow('file:DIR')
      await expect(opening).rejects.not.toThrow('SECRET')
    },
  )
})
