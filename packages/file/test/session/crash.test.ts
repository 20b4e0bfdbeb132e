import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Child } from '../../../../scripts/testing/child.ts'
import { cutPower, withSmallDisk } from '../../../../scripts/testing/disks.ts'
import { killAgainAndAgain } from '../../../../scripts/testing/kill-loop.ts'
import { hasPrlimit, hasStrace, mayMount, momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

vi.setConfig({ testTimeout: 120_000 * thoroughness, hookTimeout: 60_000 })

const folder = new Folder()
const journal = (): string => folder.path('s.journal')

describe('SIGKILL at a random moment', () => {
  it('keeps acknowledged changes once, in order and whole, and the next process continues', async () => {
    const exists = await killAgainAndAgain({
      rounds: 6 * thoroughness,
      start: code => folder.run(code),
      open: () => folder.open(),
    })
    if (exists) await folder.once(store => store.changeSession('s', append('end')))
    expect(readdirSync(folder.base).filter(name => name.endsWith('.rotated'))).toEqual([])
  })

  it('during a compaction loses nothing, even twice in a row, and the next compaction finishes it', async () => {
    const turns = 3000
    const ids = Array.from({ length: turns }, (_, i) => `t${i}`)
    const base = folder.open()
    await base.saveSession({
      sessionId: 's',
      createdAt: at,
      turns: ids.map(turnId => ({ turnId, prompt: 'x'.repeat(1000) })),
    })
    await base.changeSession('s', append('journal'))
    const expected = [...ids, 'journal']
    const moments = momentsOf(7)
    for (let round = 0; round < 2 * thoroughness; round++) {
      const child = folder.run(`say((await store.changeSession('s', append('ended ${round}'))).turnCount)
        say('ending'); void store.changeSession('s', { setMetadata: { ended: ${round} , ended: true }, updatedAt: at }).then(() => say('ended'))`)
      while ((await child.line()) !== 'ended') expect(child.process.exitCode).toBeNull()
      await sleep(moments.next().value * 25)
      await child.kill()
      expected.push(`ended ${round}`)
      expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(expected)
      expect(turnIdsOf(await base.loadSession('s'))).toEqual(expected)
    }
    await folder.once(store => store.changeSession('s', append('last')))
    expect(readdirSync(folder.base)).not.toContain('s.rotated')
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual([...expected, 'last'])
  })
})

describe('four processes on one session', () => {
  it('keep every acknowledged turn once and in one order while one is killed and restarted', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    const acknowledged: { id: string; revision: number }[] = []
    const writer = (name: string): Child =>
      folder.run(`say('ready'); for (let i = 0; ; i++) {
        const id = '${name}.' + i
        const { revision } = await store.changeSession('s', append(id))
        say(id + ' ' + revision)
      }`)
    const listen = async (child: Child): Promise<void> => {
      for (let line = await child.line(); line !== null; line = await child.line()) {
        const [id = '', revision] = line.split(' ')
        if (revision !== undefined) acknowledged.push({ id, revision: Number(revision) })
      }
    }
    const steady = ['a', 'b', 'c'].map(writer)
    const listening = steady.map(listen)
    const moments = momentsOf(11)
    for (let life = 0; life < 2 * thoroughness; life++) {
      const mortal = writer(`d${life}`)
      listening.push(listen(mortal))
      const before = acknowledged.length
      while (!acknowledged.slice(before).some(({ id }) => id.startsWith(`d${life}.`))) await sleep(2)
      await sleep(moments.next().value * 100)
      await mortal.kill()
    }
    while (acknowledged.length <= 20) await sleep(2)
    for (const child of steady) await child.kill()
    await Promise.all(listening)
    const session = await folder.open().loadSession('s')
    const ids = turnIdsOf(session) ?? []
    expect(new Set(ids).size).toBe(ids.length)
    expect(session?.revision).toBe(ids.length + 1)
    // Each turn is where its revision put it.
    const misplaced = acknowledged.filter(({ id, revision }) => ids[revision - 2] !== id)
    expect(misplaced).toEqual([])
    expect(ids.length - acknowledged.length).toBeLessThanOrEqual(3 + 2 * thoroughness)
  })

  it('64 callers in one process are served in the order of their calls', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    const ids = Array.from({ length: 64 }, (_, i) => `t${i}`)
    const results = await Promise.all(ids.map(id => store.changeSession('s', append(id))))
    expect(results.map(({ revision }) => revision)).toEqual(ids.map((_, i) => i + 2))
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(ids)
  })

  it('a stopped lock holder blocks nobody forever, and all continue when it does', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    // Writing a whole record holds the lock for some time.
    const holder =
      folder.run(`const turns = Array.from({ length: 4000 }, (_, i) => ({ turnId: 'h' + i, prompt: 'x'.repeat(2000) }))
      say('ready'); for (let i = 1; ; i++) { say('saving ' + i); await store.saveSession({ sessionId: 's', createdAt: at, turns }) }`)
    while ((await holder.line()) !== 'saving 2') expect(holder.process.exitCode).toBeNull()
    // Until it is stopped while it holds the lock.
    const store = folder.open({ timeoutMs: 150 })
    let refused: unknown = null
    for (let tries = 0; refused === null && tries < 200; tries++) {
      holder.process.kill('SIGCONT')
      await sleep(7)
      holder.process.kill('SIGSTOP')
      refused = await store.changeSession('s', append(`other ${tries}`)).then(
        () => null,
        (error: unknown) => error,
      )
    }
    const busy = { code: 'STORE_BUSY', outcome: 'not-stored', sessionId: 's' }
    expect(refused).toMatchObject(busy)
    expect(await failureOf(store.saveSession({ sessionId: 's' }))).toMatchObject(busy)
    expect(await failureOf(store.deleteSession('s'))).toMatchObject(busy)
    expect(await store.loadSummary('s')).toMatchObject({ sessionId: 's' })
    holder.process.kill('SIGCONT')
    expect((await folder.open().changeSession('s', append('after'))).deduplicated).toEqual([])
    await holder.kill()
  })
})

/** strace counts calls per thread. */
const oneThread = { UV_THREADPOOL_SIZE: '1' }

describe.skipIf(!hasStrace)(`the disk fails${hasStrace ? '' : ' (needs strace)'}`, () => {
  /** Counts only calls on this path, not those of loading the program. */
  const failing = (path: string, inject: string): string[] => [
    'strace',
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-P',
    path,
    '-e',
    `inject=${inject}`,
  ]

  it('each new folder above the store is synced in its parent', async () => {
    const log = folder.path('log')
    const base = folder.path('a', 'b', 'sessions')
    const under = ['strace', '-f', '-qq', '-y', '-o', log, '-e', 'trace=fsync']
    const child = folder.run(`await store.saveSession({ sessionId: 's' }); say('stored')`, { under, base })
    expect(await child.rest()).toEqual(['stored'])
    const synced = [...readFileSync(log, 'utf8').matchAll(/fsync\(\d+<([^>]*)>/g)].map(([, path]) => path)
    for (const path of [folder.base, folder.path('a'), folder.path('a', 'b'), base]) expect(synced).toContain(path)
  })

  it('a failed fdatasync of the journal has an unknown outcome, and the journal is given up', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    await folder.open().changeSession('s', append('first'))
    const child = folder.run(
      `for (const id of ['second', 'third']) say(await store.changeSession('s', append(id)).then(() => 'stored', codeOf))
      await store.loadSession('s')
      for (let look = 0; fs.existsSync(base + '/s.journal') && look < 500; look++) await new Promise(next => setTimeout(next, 10))
      say(fs.existsSync(base + '/s.journal'))
      say(await store.changeSession('s', append('fourth')).then(() => 'stored', codeOf))
      say((await store.loadSession('s')).turns.map(turn => turn.turnId))`,
      { under: failing(journal(), 'fdatasync:error=EIO:when=2'), env: oneThread },
    )
    const [second, third, hasJournal, fourth, turns] = await child.rest()
    expect([second, third]).toEqual(['stored', 'STORE_UNAVAILABLE unknown'])
    expect(hasJournal).toBe('false')
    expect(JSON.parse(readFileSync(folder.path('s.json'), 'utf8'))).toMatchObject({ revision: 4 })
    expect([fourth, turns]).toEqual(['stored', 'first,second,third,fourth'])
  })

  it('a failed write stores nothing, and the next succeeds', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    await folder.open().changeSession('s', append('first'))
    const child = folder.run(
      `for (const id of ['second', 'third', 'fourth']) say(await store.changeSession('s', append(id)).then(() => 'stored', codeOf))`,
      { under: failing(journal(), 'write:error=ENOSPC:when=2'), env: oneThread },
    )
    expect(await child.rest()).toEqual(['stored', 'STORE_UNAVAILABLE not-stored', 'stored'])
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['first', 'second', 'fourth'])
  })

  it.each([
    ['a change', "store.changeSession('s', append('t'))", journal, 'write:error=ENOSPC:when=1'],
    [
      'a document',
      "store.saveSession({ sessionId: 's', createdAt: at })",
      () => folder.base,
      'fsync:error=ENOSPC:when=1',
    ],
  ])('the cause of a failed write of %s has the system code', async (_what, call, path, inject) => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    await folder.open().changeSession('s', append('first'))
    const child = folder.run(`await store.loadSession('s'); say(await ${call}.catch(error => error.cause?.message))`, {
      under: failing(path(), inject),
      env: oneThread,
    })
    expect(await child.rest()).toEqual(['Error ENOSPC'])
  })

  it.each(['fsync:error=EIO:when=1', 'fsync:error=ENOSPC:when=1'])(
    'a document that cannot be synced replaces nothing (%s)',
    async inject => {
      await folder.open().saveSession({ sessionId: 's', createdAt: at })
      await folder.open().changeSession('s', append('first'))
      const before = readFileSync(folder.path('s.json'), 'utf8')
      const child = folder.run(
        `await store.loadSession('s')
      say(await store.saveSession({ sessionId: 's', createdAt: at }).then(() => 'stored', codeOf))
      say(await store.changeSession('s', append('second')).then(() => 'stored', codeOf))`,
        { under: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${inject}`], env: oneThread },
      )
      const [saved, appended] = await child.rest()
      expect(saved).toMatch(/^STORE_UNAVAILABLE (not-stored|unknown)$/)
      expect(appended).toBe('stored')
      expect(readFileSync(folder.path('s.json'), 'utf8')).toBe(before)
      expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['first', 'second'])
    },
  )
})

describe.skipIf(!mayMount)(`a disk that runs full${mayMount ? '' : ' (needs root, to mount a small one)'}`, () => {
  it.each([64, 256, 1024])(
    '%s KiB: a change that does not fit is reported, what was stored stays, and writes succeed with more space',
    async kilobytes => {
      const base = folder.path('disk')
      await withSmallDisk(base, kilobytes, async resize => {
        const store = folder.open({}, base)
        await store.saveSession({ sessionId: 's', createdAt: at })
        const ids: string[] = []
        const write = (id: string): Promise<unknown> =>
          store.changeSession('s', { appendTurns: [{ turnId: id, prompt: 'x'.repeat(7001) }], updatedAt: at })
        const failed: unknown[] = []
        for (let i = 0; failed.length < 3 && i < 300; i++) {
          await write(`t${i}`).then(
            () => ids.push(`t${i}`),
            (thrown: unknown) => failed.push(thrown),
          )
        }
        const full = { code: 'STORE_UNAVAILABLE', outcome: 'not-stored' }
        expect(failed).toMatchObject([full, full, full])
        expect(
          await failureOf(store.saveSession({ sessionId: 'large', metadata: { text: 'x'.repeat(100_000) } })),
        ).toMatchObject({
          code: 'STORE_UNAVAILABLE',
          outcome: 'not-stored',
        })
        await folder
          .open({}, base)
          .changeSession('s', { setMetadata: { ended: true }, updatedAt: at })
          .catch(() => undefined)
        for (const reader of [store, folder.open({}, base)])
          expect(turnIdsOf(await reader.loadSession('s'))).toEqual(ids)
        expect(readdirSync(base).filter(name => name.endsWith('.tmp'))).toEqual([])
        resize(kilobytes * 4)
        await write('last')
        await store.close()
        expect(readdirSync(base)).not.toContain('s.rotated')
        expect(turnIdsOf(await folder.open({}, base).loadSession('s'))).toEqual([...ids, 'last'])
      })
    },
  )
})

it.skipIf(!hasPrlimit)(
  'a process that is out of descriptors waits for some, or fails and says so (needs prlimit)',
  async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    const child = folder.run(
      `await store.changeSession('s', append('before'))
    const held = []
    try { for (;;) held.push(fs.openSync('/dev/null')) } catch {}
    const timer = setTimeout(() => { for (const fd of held.splice(0, 20)) fs.closeSync(fd) }, 300)
    const others = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => store.saveSession({ sessionId: 'new ' + i })))
    say(others.every(({ status, reason }) => status === 'fulfilled' || (reason.code === 'STORE_UNAVAILABLE' && reason.outcome === 'not-stored')))
    for (const fd of held.splice(0)) fs.closeSync(fd)
    say((await store.changeSession('s', append('after'))).turnCount)
    say((await Promise.all(others.map(async ({ status }, i) => (status === 'fulfilled') === (await store.loadSession('new ' + i) !== null)))).every(Boolean))
    await store.close()`,
      { under: ['prlimit', '--nofile=64'] },
    )
    expect(await child.rest()).toEqual(['true', '2', 'true'])
    expect(child.errors).toBe('')
  },
)

describe.skipIf(!mayMount)(`a power cut${mayMount ? '' : ' (needs root, to mount a disk of its own)'}`, () => {
  const mountPoint = (): string => folder.path('disk')

  /** Runs `code` on a disk of its own, cuts the power once it has said so many lines, and looks at what is left. */
  const cut = (code: string, lines: number, look: (acknowledged: string[]) => Promise<void>): Promise<void> =>
    cutPower(mountPoint(), () => folder.run(code, { base: mountPoint() }), lines, look)

  const work = `for (let s = 0; s < 3; s++) await store.saveSession({ sessionId: 's' + s, workspaceId: s === 2 ? 'w' : null, createdAt: at })
    for (let i = 0; ; i++) {
      const id = 's' + (i % 3)
      // One of them is compacted at times. In the others, only the journal has the acknowledged changes.
      await store.changeSession(id, { ...append('t' + i), setMetadata: { ended: id === 's1' && i % 5 === 0 } })
      say(id + ' t' + i)
    }`

  it('loses nothing that was acknowledged', async () => {
    await cut(work, 150, async acknowledged => {
      const store = folder.open({}, mountPoint())
      for (const id of ['s0', 's1', 's2']) {
        const turns = turnIdsOf(await store.loadSession(id)) ?? []
        const expected = acknowledged.filter(line => line.startsWith(`${id} `)).map(line => line.slice(3))
        expect(turns.slice(0, expected.length)).toEqual(expected)
        expect((await store.changeSession(id, append('next'))).turnCount).toBe(turns.length + 1)
      }
      await store.close()
    })
  })

  it('loses no session that was created with many others, and no later write takes it to the disk', async () => {
    const create = `await Promise.all(Array.from({ length: 200 }, (_, i) => store.saveSession(
        { sessionId: 's' + i, workspaceId: [null, 'v', 'w'][i % 3], createdAt: at, turns: [{ turnId: 't' }] })))
      say('done'); await sleep(60_000)`
    await cut(create, 1, async () => {
      const store = folder.open({}, mountPoint())
      expect(await store.querySessions({ limit: 1 })).toMatchObject({ sessions: [{ turnCount: 1 }] })
      expect(await store.listSessions()).toHaveLength(200)
      for (let i = 0; i < 200; i++) expect(turnIdsOf(await store.loadSession(`s${i}`))).toEqual(['t'])
      await store.close()
    })
  })

  const save = `store.saveSession({ sessionId: 's', workspaceId: 'w', createdAt: at, turns: [{ turnId: 'a' }, { turnId: 'b' }] })`
  // No later write takes it to the disk.
  it.each([
    ['a session', `await ${save}`, ['a', 'b']],
    ['a first change', `await ${save}; await store.changeSession('s', append('c'))`, ['a', 'b', 'c']],
    ['a rewind', `await ${save}; await store.changeSession('s', { keepTurns: 1, updatedAt: at })`, ['a']],
    ['a delete', `await ${save}; await store.deleteSession('s')`, null],
    [
      'a compaction',
      `await ${save}; await store.changeSession('s', append('c')); await store.close()`,
      ['a', 'b', 'c'],
    ],
  ])('keeps %s that was the last write', async (_name, code, turns) => {
    await cut(`${code}; say('done'); await sleep(60_000)`, 1, async () => {
      const store = folder.open({}, mountPoint())
      expect(turnIdsOf(await store.loadSession('s'))).toEqual(turns)
      await store.close()
    })
  })

  it('does lose data that was not synced, so these tests can detect a loss', async () => {
    await cut(`fs.writeFileSync(base + '/plain.json', 'text'); say('written')`, 1, async () => {
      const path = `${mountPoint()}/plain.json`
      expect(existsSync(path) && readFileSync(path, 'utf8') === 'text').toBe(false)
    })
  })
})
