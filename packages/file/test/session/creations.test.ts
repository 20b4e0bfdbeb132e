import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { hasStrace } from '../../../../scripts/testing/machine.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

vi.setConfig({ testTimeout: 120_000 })

const folder = new Folder()

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${i}`)

describe.skipIf(!hasStrace)(`sessions that are created at once${hasStrace ? '' : ' (needs strace)'}`, () => {
  const create = (
    count: number,
  ): string => `const answers = await Promise.all(Array.from({ length: ${count} }, (_, i) =>
    store.saveSession({ sessionId: 's' + i, workspaceId: i % 2 ? 'w' : null, createdAt: at }).catch(codeOf)))
    say([...new Set(answers)].join())`

  it('share the syncs of their folders', async () => {
    const log = folder.path('log')
    const under = ['strace', '-f', '-qq', '--seccomp-bpf', '-y', '-o', log, '-e', 'trace=fsync,fdatasync']
    expect(await folder.run(create(500), { under }).rest()).toEqual(['1'])
    const syncs = readFileSync(log, 'utf8')
      .split('\n')
      .filter(line => line.includes('sync('))
    expect(syncs.filter(line => line.includes('.tmp>')).length).toBeGreaterThanOrEqual(500)
    expect(syncs.length).toBeLessThan(500 * 1.6)
    expect(await folder.open().listSessions()).toHaveLength(500)
  })

  it('do not run out of time behind each other on a slow disk, nor do changes of many sessions', async () => {
    const under = [
      'strace',
      '-f',
      '-qq',
      '--seccomp-bpf',
      '-o',
      '/dev/null',
      '-e',
      'inject=fsync,fdatasync:delay_exit=10000',
    ]
    const change = `const changed = await Promise.all(Array.from({ length: 900 }, (_, i) =>
      store.changeSession('s' + i, append('t')).then(() => 'stored', codeOf)))
      say([...new Set(changed)].join())`
    const child = folder.run(`${create(900)}\n${change}`, { under, options: { timeoutMs: 2500 } })
    expect(await child.rest()).toEqual(['1', 'stored'])
  })
})

it('of one id that three processes create again and again, each time one is created, in one workspace', async () => {
  const rounds = 30
  const children = ['a', 'b', 'c'].map(name =>
    folder.run(`for (let i = 0; i < ${rounds}; i++) {
      const saves = [0, 1, 2, 3].map(n => store.saveSession(
        { sessionId: 's' + i, workspaceId: n % 2 ? '${name}' : null, createdAt: at, turns: [{ turnId: '${name}' + n }] }, { ifRevision: 0 }))
      const won = (await Promise.allSettled(saves)).filter(({ status }) => status === 'fulfilled').length
      say(i + ' ' + won)
    }`),
  )
  const lines = (await Promise.all(children.map(child => child.rest()))).flat()
  for (let i = 0; i < rounds; i++) {
    const won = lines.filter(line => line.startsWith(`${i} `)).map(line => Number(line.split(' ')[1]))
    expect([i, won.toSorted((a, b) => a - b)]).toEqual([i, [0, 0, 1]])
  }
  const { sessions, damaged } = await folder.open().querySessions({ limit: 100 })
  expect([sessions.length, damaged]).toEqual([rounds, undefined])
  expect(readdirSync(folder.base).filter(name => name.endsWith('.tmp'))).toEqual([])
})

it('two saves of a new session at once both count', async () => {
  const store = folder.open()
  const save = (turnId: string): Promise<number> =>
    store.saveSession({ sessionId: 's', createdAt: at, turns: [{ turnId }] })
  expect(new Set(await Promise.all([save('a'), save('b')]))).toEqual(new Set([1, 2]))
  expect((await store.loadSession('s'))?.revision).toBe(2)
})

it('a creation with a journal that a delete left behind never takes its turns', async () => {
  const store = folder.open()
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.changeSession('s', append('old'))
  rmSync(folder.path('s.json'))
  await store.saveSession({ sessionId: 's', createdAt: at })
  expect(existsSync(folder.path('s.journal'))).toBe(false)
  expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual([])
})

it('one that cannot be written fails alone', async () => {
  const store = folder.open()
  await store.ready()
  writeFileSync(folder.path('blocked'), 'a file where the folder of a workspace must be')
  const failing = failureOf(store.saveSession({ sessionId: 'x', workspaceId: 'blocked', createdAt: at }))
  expect(await Promise.all(ids(20).map(sessionId => store.saveSession({ sessionId, createdAt: at })))).toEqual(
    ids(20).map(() => 1),
  )
  expect(await failing).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'not-stored' })
  expect(await folder.open().listSessions()).toHaveLength(20)
})
