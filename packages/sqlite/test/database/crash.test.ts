import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Child } from '../../../../scripts/testing/child.ts'
import { cutPower } from '../../../../scripts/testing/disks.ts'
import { killAgainAndAgain } from '../../../../scripts/testing/kill-loop.ts'
import { hasStrace, mayMount, momentsOf, thoroughness, isThorough } from '../../../../scripts/testing/machine.ts'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

vi.setConfig({ testTimeout: 120_000 * thoroughness, hookTimeout: 60_000 })

const folder = new Folder()
const sound = { ok: true, problems: [] }

/** Writes in eight lanes at once, each with a session of its own, so that commits are of several. */
const lanes = `for (let lane = 0; lane < 8; lane++) await store.saveSession({ sessionId: 's' + lane, createdAt: at })
  say('ready')
  const first = (await store.loadSummary('s0')).turnCount
  await Promise.all(Array.from({ length: 8 }, async (_, lane) => {
    for (let i = first;; i++) {
      const id = 't' + i + '.' + lane
      await store.changeSession('s' + lane, append(id))
      say('s' + lane + ' ' + id)
    }
  }))`

/** The turns that a child reported as stored, by session. */
function reportedBy(lines: readonly string[]): Map<string, string[]> {
  const reported = new Map<string, string[]>()
  for (const line of lines) {
    const [sessionId = '', turnId] = line.split(' ')
    if (turnId !== undefined) reported.set(sessionId, [...(reported.get(sessionId) ?? []), turnId])
  }
  return reported
}

/** Reads lines in the background, until the child ends. */
function listen(child: Child): { readonly lines: string[]; readonly ended: Promise<void> } {
  const lines: string[] = []
  const ended = (async () => {
    for (let line = await child.line(); line !== null; line = await child.line()) lines.push(line)
  })()
  return { lines, ended }
}

describe('SIGKILL at a random moment', () => {
  it.each(['power-loss', 'process-crash'] as const)(
    'keeps each acknowledged write once, in order and whole, and the next process can continue (durability %s)',
    async durability => {
      const exists = await killAgainAndAgain({
        rounds: 4 * thoroughness,
        start: code => folder.run(code, { options: { durability } }),
        open: () => folder.open(),
      })
      const store = folder.open()
      if (exists) await store.changeSession('s', append('end'))
      expect(await store.checkIntegrity()).toEqual(sound)
    },
  )

  it('during group commits keeps every acknowledged write', async () => {
    const moments = momentsOf(3)
    let acknowledged: string[] = []
    for (let round = 0; round < 3 * thoroughness; round++) {
      // Each round writes new sessions, and leaves those of earlier rounds as they were.
      const child = folder.run(lanes.replaceAll(`'s' + lane`, `'${round}.' + lane`).replaceAll(`'s0'`, `'${round}.0'`))
      const { lines, ended } = listen(child)
      while (lines.length < 10 + moments.next().value * 200) {
        if (child.hasEnded) throw new Error(child.errors)
        await sleep(1)
      }
      await child.kill()
      await ended
      acknowledged = [...acknowledged, ...lines]
    }
    const store = folder.open()
    let unacknowledged = 0
    for (const [sessionId, reported] of reportedBy(acknowledged)) {
      const stored = turnIdsOf(await store.loadSession(sessionId)) ?? []
      expect([sessionId, stored.slice(0, reported.length)]).toEqual([sessionId, reported])
      unacknowledged += stored.length - reported.length
    }
    // Of each lane one may have been under way.
    expect(unacknowledged).toBeLessThanOrEqual(3 * 8 * thoroughness)
    expect(acknowledged.length).toBeGreaterThanOrEqual(3 * 10 * thoroughness)
    expect(await store.checkIntegrity()).toEqual(sound)
  })

  it('of one of four writers to a session loses no turn of any', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    const writer = (name: string): Child =>
      folder.run(`say('ready'); for (let i = 0; ; i++) {
        const id = '${name}.' + i
        say(id + ' ' + (await store.changeSession('s', append(id))).revision)
      }`)
    const steady = ['a', 'b', 'c'].map(writer)
    const heard = steady.map(listen)
    const moments = momentsOf(11)
    const lives = 2 * thoroughness
    for (let life = 0; life < lives; life++) {
      const mortal = writer(`d${life}`)
      const hearing = listen(mortal)
      heard.push(hearing)
      while (hearing.lines.length < 2) {
        if (mortal.hasEnded) throw new Error(mortal.errors)
        await sleep(2)
      }
      await sleep(moments.next().value * 100)
      await mortal.kill()
    }
    // However busy the machine is, there is something to lose.
    while (heard.slice(0, steady.length).some(({ lines }) => lines.length < 10)) {
      const ended = steady.find(child => child.hasEnded)
      if (ended !== undefined) throw new Error(ended.errors)
      await sleep(2)
    }
    for (const child of steady) await child.kill()
    await Promise.all(heard.map(({ ended }) => ended))
    const acknowledged = heard
      .flatMap(({ lines }) => lines)
      .filter(line => line !== 'ready')
      .map(line => line.split(' '))
    const session = await folder.open().loadSession('s')
    const ids = turnIdsOf(session) ?? []
    expect(new Set(ids).size).toBe(ids.length)
    expect(session?.revision).toBe(ids.length + 1)
    // Each turn is at the position that its revision implies.
    expect(acknowledged.filter(([id, revision]) => ids[Number(revision) - 2] !== id)).toEqual([])
    expect(ids.length - acknowledged.length).toBeLessThanOrEqual(3 + lives)
    expect(acknowledged.length).toBeGreaterThan(20)
    expect(await folder.open().checkIntegrity()).toEqual(sound)
  })
})

describe.skipIf(!mayMount)(`a power cut${mayMount ? '' : ' (needs root, to mount a disk of its own)'}`, () => {
  const disk = (): string => folder.path('disk')
  const path = (): string => folder.path('disk', 'sessions.db')

  /** How many acknowledged turns are missing if the power is cut after so many lines of a child. */
  async function lostIn(code: string, durability: 'power-loss' | 'process-crash', lines: number): Promise<number> {
    let lost = 0
    await cutPower(
      disk(),
      () => folder.run(code, { path: path(), options: { durability } }),
      lines,
      async acknowledged => {
        const store = folder.open({}, path())
        const reported = reportedBy(acknowledged)
        for (const [sessionId, turns] of reported) {
          const stored = turnIdsOf(await store.loadSession(sessionId)) ?? []
          const kept = stored.slice(0, turns.length)
          // What remains is in order and without a gap.
          expect(kept).toEqual(turns.slice(0, kept.length))
          lost += turns.length - kept.length
        }
        expect(await store.checkIntegrity()).toEqual(sound)
        await store.saveSession({ sessionId: 'next' })
        expect((await store.changeSession('next', append('next'))).turnCount).toBe(1)
        await store.close()
      },
    )
    return lost
  }

  it.each(Array.from({ length: 2 * thoroughness }, (_, cut) => 150 + 100 * cut))(
    'loses nothing that was acknowledged (%i lines)',
    async lines => {
      expect(await lostIn(lanes, 'power-loss', lines)).toBe(0)
    },
  )

  it.each(['DELETE', 'TRUNCATE', 'PERSIST'])(
    'loses nothing with a shared handle and a rollback journal (%s)',
    async mode => {
      // Nothing is written after the last one, which would also sync the removal of its journal.
      const shared = `const database = new Database(path)
      database.pragma('journal_mode = ${mode}')
      database.pragma('synchronous = EXTRA')
      const shared = new SqliteSessionStore(database)
      await shared.saveSession({ sessionId: 's', createdAt: at })
      for (const id of ['a', 'b', 'c']) {
        await shared.changeSession('s', append(id))
        say('s ' + id)
      }
      await sleep(60_000)`
      expect(await lostIn(shared, 'power-loss', 3)).toBe(0)
    },
  )

  it('loses neither the first session of a new database nor a delete that was the last write', async () => {
    const code = `await store.saveSession({ sessionId: 'gone', createdAt: at })
      await store.saveSession({ sessionId: 's', createdAt: at })
      await store.deleteSession('gone'); say('done'); await sleep(60_000)`
    await cutPower(
      disk(),
      () => folder.run(code, { path: path() }),
      1,
      async () => {
        const store = folder.open({}, path())
        expect(await store.listSessions()).toEqual(['s'])
        await store.close()
      },
    )
  })

  it('with durability process-crash loses some, which shows that the test works', async () => {
    // Before the first checkpoint, which syncs all earlier writes.
    expect(await lostIn(lanes, 'process-crash', 100)).toBeGreaterThan(0)
  })

  it('with durability process-crash leaves a sound database, with all that was checkpointed', async () => {
    expect(await lostIn(lanes, 'process-crash', 2500)).toBeLessThan(2500)
  })
})

describe.skipIf(!hasStrace)(`the disk fails${hasStrace ? '' : ' (needs strace)'}`, () => {
  /** Only calls on the WAL count, which is written and synced by commits alone. */
  const failing = (inject: string): readonly string[] => [
    'strace',
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-P',
    `${folder.database}-wal`,
    '-e',
    `inject=${inject}`,
  ]

  const write = `const write = (...ids) => {
    const one = id => store.changeSession('s', append(id)).then(() => 'stored', codeOf)
    return Promise.all(ids.map(one))
  }`

  const work = `${write}
    await store.loadSession('s')
    say(await write('a')); say(await write('b', 'c')); say(await write('d', 'e'))
    say((await store.loadSession('s')).turns.map(turn => turn.turnId))
    say((await store.checkIntegrity()).ok)`

  /**
   * `a` is stored, the commit of `b` and `c` fails, and `d` and `e` are stored again. On a machine so busy that `b` takes
   * more than a slice of time, `c` has a commit of its own: then it is tried again.
   */
  async function failSecondCommit(inject: string): Promise<{ second: string | undefined; turns: string[] | null }> {
    for (let tries = 0; tries < 10; tries++) {
      const result = await tryToFailSecondCommit(inject)
      if (!/^STORE_UNAVAILABLE [a-z-]+,stored$/.test(result.second ?? '')) return result
      expect(result.turns).toEqual(['a', 'c', 'd', 'e'])
      for (const end of ['', '-wal', '-shm']) rmSync(folder.database + end, { force: true })
    }
    throw new Error('the two writes never shared a commit')
  }

  async function tryToFailSecondCommit(
    inject: string,
  ): Promise<{ second: string | undefined; turns: string[] | null }> {
    // Another process has the database open, as usual: the WAL is recovered only after a crash.
    const other = folder.open()
    await other.saveSession({ sessionId: 's', createdAt: at })
    const child = folder.run(work, { under: failing(inject) })
    const [first, second, third, turns, ok] = await child.rest()
    expect([first, third, ok, child.errors]).toEqual(['stored', 'stored,stored', 'true', ''])
    const stored = turnIdsOf(await other.loadSession('s'))
    expect(stored?.join(',')).toBe(turns)
    expect(stored).toEqual(expect.arrayContaining(['a', 'd', 'e']))
    expect(await other.checkIntegrity()).toEqual(sound)
    await other.close()
    return { second, turns: stored }
  }

  it('a failed sync at a commit makes the outcome of each of its writes unknown, and the store keeps working', async () => {
    const { second, turns } = await failSecondCommit('fsync:error=EIO:when=2')
    expect(second).toBe('STORE_UNAVAILABLE unknown,STORE_UNAVAILABLE unknown')
    expect(turns).toEqual(['a', 'd', 'e'])
  })

  it('writes of one commit with an unknown outcome survive a crash all together or not at all', async () => {
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
    const child = folder.run(
      `${write}
      await store.loadSession('s')
      say(await write('a')); say(await write('b', 'c')); process.kill(process.pid, 'SIGKILL')`,
      // The first is that of the header of a new WAL.
      { under: failing('fsync:error=EIO:when=3') },
    )
    expect(await child.rest()).toEqual(['stored', 'STORE_UNAVAILABLE unknown,STORE_UNAVAILABLE unknown'])
    const store = folder.open()
    expect([['a'], ['a', 'b', 'c']]).toContainEqual(turnIdsOf(await store.loadSession('s')))
    expect(await store.checkIntegrity()).toEqual(sound)
  })

  it('a failed write to the file at a commit does the same', async () => {
    const { second, turns } = await failSecondCommit('pwrite64:error=EIO:when=10')
    expect(second).toBe('STORE_UNAVAILABLE unknown,STORE_UNAVAILABLE unknown')
    expect(turns).toEqual(['a', 'd', 'e'])
  })

  it('writes that fail together on a full disk are retried one by one', async () => {
    const { second, turns } = await failSecondCommit('pwrite64:error=ENOSPC:when=10')
    expect(second).toBe('stored,stored')
    expect(turns).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  // What each read is for depends on SQLite's cache. There are about fifteen until the writes are done.
  // SQLite takes EIO for damage, and every other error for a failure of the system.
  const reads = Array.from({ length: isThorough ? 9 : 3 }, (_, i) => (isThorough ? 6 + i : 6 + 3 * i))
  it.each(reads.flatMap(when => [['EIO', when] as const, ['EPERM', when] as const]))(
    'a failed read fails the writes that needed it, and acknowledged writes are stored (%s, read %i)',
    async (error, when) => {
      const ids = Array.from({ length: 6 }, (_, i) => `s${i}`)
      await folder.once(async store => {
        const turns = Array.from({ length: 40 }, (_, i) => ({ turnId: `t${i}`, prompt: 'x'.repeat(2000) }))
        for (const sessionId of ids) await store.saveSession({ sessionId, createdAt: at, turns })
      })
      const inject = [
        'strace',
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-P',
        folder.database,
        '-e',
        `inject=pread64:error=${error}:when=${when}`,
      ]
      const child = folder.run(
        `await store.ready().catch(() => {})
        const ids = ${JSON.stringify(ids)}
        const reported = ({ revision, deduplicated }) => revision === 2 && deduplicated.length === 0 ? 'stored' : 'twice'
        const results = await Promise.all(ids.map(id => store.changeSession(id, append('new')).then(reported, codeOf)))
        say(results.join())
        say(await store.changeSession('s0', append('after')).then(() => 'stored', codeOf))`,
        { under: inject },
      )
      const [results = '', after] = await child.rest()
      expect([after, child.errors]).toEqual(['stored', ''])
      const store = folder.open()
      for (const [index, result] of results.split(',').entries()) {
        expect(['stored', `${error === 'EIO' ? 'CORRUPT_SESSION' : 'STORE_UNAVAILABLE'} not-stored`]).toContain(result)
        const turns = turnIdsOf(await store.loadSession(`s${index}`))
        expect([index, turns?.includes('new')]).toEqual([index, result === 'stored'])
      }
      expect(await store.checkIntegrity()).toEqual(sound)
    },
  )
})
