import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { hasStrace, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const delayed = (path: string, call: string): string[] => [
  'strace',
  '-f',
  '-qq',
  '-o',
  '/dev/null',
  '-P',
  path,
  '-e',
  `inject=${call}:delay_enter=1500000`,
]

// A folder may be cleared, moved, or restored without its dotfiles while a store has it open.

vi.setConfig({ testTimeout: 120_000 * thoroughness })

const folder = new Folder()
const base = (): string => folder.path('base')

it('the next write creates a removed folder again', async () => {
  const store = folder.open({}, base())
  await store.saveSession({ sessionId: 'old', createdAt: at })
  rmSync(base(), { recursive: true })
  expect(await store.listSessions()).toEqual([])
  expect(await store.deleteSession('old')).toBe(false)
  await Promise.all(['a', 'b'].map(sessionId => store.saveSession({ sessionId, workspaceId: 'w', createdAt: at })))
  await store.changeSession('a', append('t'))
  await store.close()
  const other = folder.open({}, base())
  expect((await other.listSessions()).toSorted()).toEqual(['a', 'b'])
  expect(turnIdsOf(await other.loadSession('a'))).toEqual(['t'])
  expect(statSync(folder.path('base', '.turnstore')).mode & 0o777).toBe(0o700)
})

it('deleting a missing session creates nothing', async () => {
  const store = folder.open({}, base())
  expect(await store.deleteSession('s')).toBe(false)
  expect(existsSync(base())).toBe(false)
  mkdirSync(base())
  expect(await store.deleteSession('s', { workspaceId: 'w' })).toBe(false)
  expect(readdirSync(base())).toEqual([])
  writeFileSync(folder.path('base', 's.json'), JSON.stringify({ session_id: 's', turns: [] }))
  expect(await store.deleteSession('s')).toBe(true)
  expect(readdirSync(base())).toEqual(['.turnstore'])
})

it('a session that was restored without the store’s own folder keeps working', async () => {
  const store = folder.open({}, base())
  await store.saveSession({ sessionId: 's', createdAt: at })
  await store.changeSession('s', append('a'))
  mkdirSync(folder.path('copy'))
  for (const name of ['s.json', 's.journal']) cpSync(folder.path('base', name), folder.path('copy', name))
  rmSync(base(), { recursive: true })
  cpSync(folder.path('copy'), base(), { recursive: true })
  await Promise.all(['b', 'c'].map(turnId => store.changeSession('s', append(turnId))))
  await store.close()
  expect(turnIdsOf(await folder.open({}, base()).loadSession('s'))).toEqual(['a', 'b', 'c'])
})

describe.skipIf(!hasStrace)(`a folder that goes away during a write${hasStrace ? '' : ' (needs strace)'}`, () => {
  const away: [string, () => void][] = [
    ['is removed', () => rmSync(base(), { recursive: true })],
    ['is renamed', () => renameSync(base(), folder.path('elsewhere'))],
    [
      'is replaced by a backup',
      () => (renameSync(base(), folder.path('elsewhere')), renameSync(folder.path('backup'), base())),
    ],
  ]

  it.each(away)('and %s leaves no lost append acknowledged', async (_how, goAway) => {
    const store = folder.open({}, base())
    await store.saveSession({ sessionId: 's', createdAt: at })
    await store.changeSession('s', append('before'))
    cpSync(base(), folder.path('backup'), { recursive: true })
    const kept = statSync(folder.path('backup', 's.journal')).ino
    // Before the child runs: it may have written by the time that its first line arrives.
    const size = statSync(folder.path('base', 's.journal')).size
    const child = folder.run(
      `await store.readTurns('s', {}); say('ready')
      await store.changeSession('s', append('lost')).then(() => say('acknowledged'), error => say(codeOf(error)))
      await store.changeSession('s', append('next')).then(() => say('acknowledged'), error => say(codeOf(error)))`,
      { base: base(), under: delayed(folder.path('base', 's.journal'), 'fdatasync'), env: { UV_THREADPOOL_SIZE: '1' } },
    )
    expect(await child.line()).toBe('ready')
    while (statSync(folder.path('base', 's.journal')).size === size) await sleep(1)
    goAway()
    expect(await child.line()).toBe('STORE_UNAVAILABLE unknown')
    const next = await child.line()
    const stored = turnIdsOf(await folder.open({}, base()).loadSession('s'))
    const gone = ['SESSION_NOT_FOUND not-stored', null]
    expect([gone, ['acknowledged', ['before', 'next']]]).toContainEqual([next, stored])
    // Under its old lock, the child must not write anew what is in the new folder.
    const journal = folder.path('base', 's.journal')
    expect(stored === null ? kept : statSync(journal).ino).toBe(kept)
  })
})

it('no write that four processes began after a folder was replaced is lost', async () => {
  for (let round = 0; round < 2 * thoroughness; round++) {
    const here = folder.path(`base${round}`)
    const store = folder.open({}, here)
    await store.saveSession({ sessionId: 's', createdAt: at })
    await store.changeSession('s', append('first'))
    cpSync(here, folder.path('backup'), { recursive: true })
    const children = ['a', 'b', 'c', 'd'].map(name =>
      folder.run(
        `say('ready'); for (let i = 0; ; i++) {
        const began = process.hrtime.bigint()
        const code = await store.changeSession('s', append('${name}' + i)).then(() => 'acknowledged', error => error.code)
        say(began + ' ${name}' + i + ' ' + code)
        if (code === 'SESSION_NOT_FOUND') await store.saveSession({ sessionId: 's', createdAt: at }, { ifRevision: 0 }).catch(() => {})
      }`,
        { base: here },
      ),
    )
    const lines: string[] = []
    const reading = children.map(async child => {
      for (let line = await child.line(); line !== null; line = await child.line()) lines.push(line)
    })
    while (lines.length < 40) await sleep(1)
    await sleep(Math.random() * 20)
    renameSync(here, folder.path(`elsewhere${round}`))
    if (round % 2 === 0) renameSync(folder.path('backup'), here)
    const moment = process.hrtime.bigint()
    // Lines of before may still be on their way.
    const begunAfter = (): string[][] =>
      lines.map(line => line.split(' ')).filter(([began = '']) => /^\d+$/.test(began) && BigInt(began) > moment)
    while (begunAfter().filter(([, , code]) => code === 'acknowledged').length < 40) await sleep(1)
    for (const child of children) await child.kill()
    await Promise.all(reading)
    const kept = new Set(turnIdsOf(await folder.open({}, here).loadSession('s')))
    const begun = begunAfter()
    const lost = begun.filter(([, id = '', code]) => code === 'acknowledged' && !kept.has(id))
    expect(lost).toEqual([])
    rmSync(folder.path('backup'), { recursive: true, force: true })
  }
})
