import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SessionInput } from '@turnstore/core'
import { openStore } from 'turnstore'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../../redis/test/servers.ts'
import { ids, load, parseObject, parseObjects, temporaryFolder, turnstore } from '../turnstore.ts'

const sessions: SessionInput[] = [
  {
    sessionId: 'a',
    workspaceId: 'acme',
    updatedAt: '2026-01-01T00:00:00Z',
    metadata: { channel: 'web', score: 3 },
    turns: [{ turnId: 't', prompt: 'Hello', toolCalls: [{ callId: 'c', toolName: 'f' }] }],
  },
  {
    sessionId: 'b',
    workspaceId: 'acme',
    updatedAt: '2026-03-01T00:00:00Z',
    metadata: { channel: 'mail', score: '3' },
    turns: [
      { turnId: 't', items: [{ format: 'x', value: 1 }] },
      { turnId: 'u', status: 'running' },
    ],
  },
  { sessionId: '-c', metadata: { ended: true, channel: 'web' } },
]

const stores = ['file', 'sqlite', 'redis'] as const

let server: Server

beforeAll(async () => {
  server = await startServer()
})

afterAll(() => server.stop())

async function filled(kind: (typeof stores)[number] = 'sqlite'): Promise<string> {
  if (kind === 'redis') await server.admin.flushall()
  const url = kind === 'redis' ? server.url : `${kind}:${join(temporaryFolder(), 'store')}`
  await using store = await openStore(url)
  for (const session of sessions) await store.saveSession(session)
  return url
}

describe('ls', () => {
  it.each<[string[], string[]]>([
    [
      ['--where', 'channel=web'],
      ['-c', 'a'],
    ],
    [['--where', 'channel=web', '--where', 'score:=3'], ['a']],
    [['--where', 'score=3'], ['b']],
    [['--where', 'ended:=true'], ['-c']],
    [['--where', 'nope:=null'], []],
    [['--where', 'a=b=c'], []],
    [['--status', 'running'], ['b']],
    [['--status', 'nope'], []],
    [['--workspace', 'acme', '--status', 'success'], ['a']],
  ])('%j', async (args, expected) => {
    for (const kind of stores) {
      const url = await filled(kind)
      const { stdout } = await turnstore(['ls', '--json', ...args], { url })
      expect(
        parseObjects(stdout)
          .map(({ session_id: id }) => String(id))
          .toSorted(),
      ).toEqual(expected)
      expect((await turnstore(['ls', '--count', ...args], { url })).stdout).toBe(`${expected.length}\n`)
    }
  })

  it.each([['channel'], ['=x'], ['x:=SECRET'], ['x:=["SECRET"]'], [':=1']])('refuses --where %s', async where => {
    const { code, stderr } = await turnstore(['ls', '--where', where], { url: await filled() })
    expect([code, stderr]).toEqual([2, expect.stringContaining('--where')])
  })
})

describe('stats', () => {
  it('counts sessions, turns, parts and bytes, altogether and by workspace', async () => {
    for (const kind of stores) {
      const url = await filled(kind)
      const bytes = Buffer.byteLength((await turnstore(['export'], { url })).stdout) - sessions.length
      const { code, stdout } = await turnstore(['stats', '--json'], { url })
      expect([code, JSON.parse(stdout)]).toEqual([
        0,
        {
          sessions: 3,
          running: 1,
          turns: 3,
          parts: 2,
          bytes,
          oldest: '2026-01-01T00:00:00Z',
          newest: '2026-03-01T00:00:00Z',
          workspaces: [
            expect.objectContaining({ workspace_id: 'acme', sessions: 2, running: 1, turns: 3, parts: 2 }),
            expect.objectContaining({ workspace_id: null, sessions: 1, turns: 0, oldest: null, newest: null }),
          ],
        },
      ])
      const text = (await turnstore(['stats'], { url })).stdout
      expect(text).toMatch(
        /^Sessions {2}3\nRunning {3}1\nTurns {5}3\nParts {5}2\nBytes {5}[\d,]+\nOldest {4}2026-01-01/,
      )
      expect(text).toMatch(/^acme +2 +1 +3 +2 +[\d,]+$/m)
    }
    const one = await turnstore(['stats', '--workspace', 'acme', '--json'], { url: await filled() })
    expect(parseObject(one.stdout)).toMatchObject({ sessions: 2, workspaces: [{ workspace_id: 'acme' }] })
  })
})

describe('set and rename', () => {
  it('set and remove members, and leave the others', async () => {
    for (const kind of stores) {
      const url = await filled(kind)
      const args = ['set', 'a', 'lang=en', 'score:=4', 'tags:=["x"]', 'text=a=b', '--unset', 'channel', '--unset', 'no']
      expect(await turnstore(args, { url })).toEqual({ code: 0, stdout: 'Changed a\n', stderr: '' })
      expect((await load(url, 'a'))?.metadata).toEqual({ lang: 'en', score: 4, tags: ['x'], text: 'a=b' })
      expect(await turnstore(['rename', 'a', 'A title'], { url })).toMatchObject({ code: 0, stdout: 'Renamed a\n' })
      expect((await turnstore(['ls'], { url })).stdout).toMatch(/^a .* A title +Hello$/m)
      await turnstore(['rename', 'a', ''], { url })
      expect((await load(url, 'a'))?.metadata).not.toHaveProperty('title')
    }
  })

  it('take an id that begins with - after --', async () => {
    const url = await filled()
    expect(await turnstore(['set', '--', '-c', 'x=y'], { url })).toMatchObject({ code: 0 })
    expect(await turnstore(['rename', '--', '-c', 'title'], { url })).toMatchObject({ code: 0 })
    expect((await load(url, '-c'))?.metadata).toMatchObject({ x: 'y', title: 'title' })
    expect((await turnstore(['rm', '--help'])).stdout.replaceAll(/\s+/g, ' ')).toContain(
      'If an id begins with -, put -- before it: turnstore rm -- -id',
    )
  })

  it.each([
    [['set', 'a'], 2],
    [['set', 'a', 'x'], 2],
    [['set', 'a', 'x:=SECRET'], 2],
    [['set', 'nope', 'x=y'], 1],
    [['rename', 'nope', 'x'], 1],
    [['rename', 'a'], 2],
    [['set', 'a', 'x=y', '--workspace', 'globex'], 1],
  ])('%j is refused', async (args, exitCode) => {
    const { code, stdout, stderr } = await turnstore(args, { url: await filled() })
    expect([code, stdout, stderr]).toEqual([exitCode, '', expect.stringMatching(/^[^\n]+\n$/)])
    expect(stderr).not.toContain('SECRET')
  })
})

describe('rm', () => {
  it('--where deletes what matches, and --dry-run nothing', async () => {
    for (const kind of stores) {
      const url = await filled(kind)
      const args = ['rm', '--where', 'channel=web']
      expect(await turnstore([...args, '--dry-run'], { url })).toMatchObject({
        code: 0,
        stdout: 'Would delete a\nWould delete -c\n2 sessions would be deleted\n',
      })
      expect(await ids(url)).toHaveLength(3)
      expect(await turnstore([...args, '--workspace', 'acme'], { url })).toMatchObject({
        code: 0,
        stdout: 'Deleted a\n1 session deleted\n',
      })
      expect(await turnstore(args, { url })).toMatchObject({ code: 0, stdout: 'Deleted -c\n1 session deleted\n' })
      expect(await ids(url)).toEqual(['b'])
    }
  })

  it('--dry-run reports ids that do not exist, and prune --dry-run deletes nothing', async () => {
    const url = await filled()
    expect(await turnstore(['rm', 'a', 'nope', '--dry-run'], { url })).toEqual({
      code: 1,
      stdout: 'Would delete a\n',
      stderr: 'Session not found: nope\n',
    })
    expect((await turnstore(['prune', '--before', '2026-02-01', '--dry-run'], { url })).stdout).toBe(
      'Would delete a\n1 session would be deleted\n',
    )
    expect(await ids(url)).toHaveLength(3)
  })

  it('refuses ids together with --where', async () => {
    expect(await turnstore(['rm', 'a', '--where', 'x=y'], { url: await filled() })).toMatchObject({ code: 2 })
  })
})

describe('check', () => {
  it('finds no damage in a sound store', async () => {
    for (const kind of stores) {
      const result = await turnstore(['check'], { url: await filled(kind) })
      expect(result).toEqual({ code: 0, stdout: '3 sessions checked: no damage\n', stderr: '' })
    }
  })

  it('exits with 1 for a damaged session, and names it', async () => {
    const url = await filled('file')
    writeFileSync(join(url.slice('file:'.length), 'acme', 'a.json'), '{"session_id": SECRET')
    const { code, stdout, stderr } = await turnstore(['check'], { url })
    expect([code, stdout]).toEqual([1, '2 sessions checked: 1 problem\n'])
    expect(stderr).toMatch(/^[^\n]*\ba\b[^\n]*\n$/)
    expect(stderr).not.toContain('SECRET')
    const json = await turnstore(['check', '--json'], { url })
    expect([json.code, parseObject(json.stdout)]).toMatchObject([1, { ok: false, problems: [{ session_id: 'a' }] }])
  })

  it('exits with 1 for a damaged database', async () => {
    const url = await filled('sqlite')
    const path = url.slice('sqlite:'.length)
    const database = new DatabaseSync(path)
    database.exec("UPDATE turnstore_sessions SET ended = 1 WHERE session_id = 'a'")
    database.close()
    const { code, stdout, stderr } = await turnstore(['check'], { url })
    expect([code, stdout]).toEqual([1, '3 sessions checked: 1 problem\n'])
    expect(stderr).toMatch(/^Session a: [^\n]+\n$/)
  })
})

describe('backup', () => {
  it('copies a database to a new file that is a store', async () => {
    const url = await filled('sqlite')
    const file = join(temporaryFolder(), 'backup.db')
    expect(await turnstore(['backup', file], { url })).toEqual({
      code: 0,
      stdout: `Backed up to ${file}\n`,
      stderr: '',
    })
    const exported = await turnstore(['export'], { url: `sqlite:${file}` })
    expect(exported).toEqual(await turnstore(['export'], { url }))
    const before = readFileSync(file)
    const again = await turnstore(['backup', file], { url })
    expect([again.code, again.stdout]).toEqual([2, ''])
    expect(again.stderr).toMatch(/^There is already a file [^\n]*\n$/)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('of another store says what to use instead', async () => {
    const { code, stderr } = await turnstore(['backup', 'x.db'], { url: await filled('file') })
    expect([code, stderr]).toEqual([2, expect.stringMatching(/turnstore export .* turnstore copy/)])
  })
})
