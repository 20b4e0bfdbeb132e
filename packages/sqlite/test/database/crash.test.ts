import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Child } from '../../../../scripts/testing/child.ts'
import { cutPower } from '../../../../scripts/testing/disks.ts'
import { killAgainAndAgain } from '../../../../scripts/testing/kill-loop.ts'
import { hasStrace, mayMount, momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

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

/** The turns that a child said were stored, by session. */
function toldOf(lines: readonly string[]): Map<string, string[]> {
  const told = new Map<string, string[]>()
  for (const line of lines) {
    const [sessionId = '', turnId] = line.split(' ')
    if (turnId !== undefined) told.set(sessionId, [...(told.get(sessionId) ?? []), turnId])
  }
  return told
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
    'keeps what was acknowledged, once, in order and whole, and the next process goes on (durability %s)',
    async durability => {
      const exists = await killAgainAndAgain({
        rounds: 8 * thoroughness,
        start: code => folder.run(code, { options: { durability } }),
        open: () => folder.open(),
      })
      const store = folder.open()
      if (exists) await store.changeSession('s', append('end'))
      expect(await store.checkIntegrity()).toEqual(sound)
    },
  )

  it('in the middle of commits of several writes at once keeps every acknowledged one', async () => {
    const moments = momentsOf(3)
    let acknowledged: string[] = []
    for (let round = 0; round < 5 * thoroughness; round++) {
      // Each life goes on in new sessions, beside which those of the lives before stay as they were.
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
    for (const [sessionId, told] of toldOf(acknowledged)) {
      const stored = turnIdsOf(await store.loadSession(sessionId)) ?? []
      expect([sessionId, stored.slice(0, told.length)]).toEqual([sessionId, told])
      unacknowledged += stored.length - told.length
    }
    // Of each lane one may have been under way.
    expect(unacknowledged).toBeLessThanOrEqual(5 * 8 * thoroughness)
    expect(acknowledged.length).toBeGreaterThan(100)
    expect(await store.checkIntegrity()).toEqual(sound)
  })

  it('of one among four writers of one session loses no turn of any', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    const writer = (name: string): Child =>
      folder.run(`say('ready'); for (let i = 0; ; i++) {
        const id = '${name}.' + i
        say(id + ' ' + (await store.changeSession('s', append(id))).revision)
      }`)
    const steady = ['a', 'b', 'c'].map(writer)
    const heard = steady.map(listen)
    const moments = momentsOf(11)
    const lives = 3 * thoroughness
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
    // The turn that came with a revision stands where that revision put it.
    expect(acknowledged.filter(([id, revision]) => ids[Number(revision) - 2] !== id)).toEqual([])
    expect(ids.length - acknowledged.length).toBeLessThanOrEqual(3 + lives)
    expect(acknowledged.length).toBeGreaterThan(20)
    expect(await folder.open().checkIntegrity()).toEqual(sound)
  })
})

describe.skipIf(!mayMount)(`a power cut${mayMount ? '' : ' (needs root, to mount a disk of its own)'}`, () => {
  const disk = (): string => folder.path('disk')
  const path = (): string => folder.path('disk', 'sessions.db')

  /** How many acknowledged turns are missing after the power was cut behind so many lines of a child. */
  async function lostIn(code: string, durability: 'power-loss' | 'process-crash', lines: number): Promise<number> {
    let lost = 0
    await cutPower(
      disk(),
      () => folder.run(code, { path: path(), options: { durability } }),
      lines,
      async acknowledged => {
        const store = folder.open({}, path())
        const told = toldOf(acknowledged)
        for (const [sessionId, turns] of told) {
          const stored = turnIdsOf(await store.loadSession(sessionId)) ?? []
          const kept = stored.slice(0, turns.length)
          // What is there is in order and without a gap, whatever is not.
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

  it.each(Array.from({ length: 3 * thoroughness }, (_, cut) => 150 + 100 * cut))(
    'loses nothing that was acknowledged (%i lines)',
    async lines => {
      expect(await lostIn(lanes, 'power-loss', lines)).toBe(0)
    },
  )

  it.each(['DELETE', 'TRUNCATE', 'PERSIST'])('nor with a lent handle that has a rollback journal (%s)', async mode => {
    // After the last one nothing is written that would take to the disk along that its journal is gone.
    const lent = `const database = new Database(path)
      database.pragma('journal_mode = ${mode}')
      const lent = new SqliteSessionStore(database)
      await lent.saveSession({ sessionId: 's', createdAt: at })
      for (const id of ['a', 'b', 'c']) {
        await lent.changeSession('s', append(id))
        say('s ' + id)
      }
      await sleep(60_000)`
    expect(await lostIn(lent, 'power-loss', 3)).toBe(0)
  })

  it('nor the very first session of a new database, nor a delete that is the last that was written', async () => {
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

  it('with durability process-crash loses some, so this test can tell', async () => {
    // Before the first checkpoint, which syncs what came before it, as each one after it.
    expect(await lostIn(lanes, 'process-crash', 100)).toBeGreaterThan(0)
  })

  it('with durability process-crash leaves a sound database, with all that a checkpoint took along', async () => {
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

  /** `a` is stored, the commit of `b` and `c` fails, and `d` and `e` are stored again. */
  async function failSecondCommit(inject: string): Promise<{ second: string | undefined; turns: string[] | null }> {
    // Others hold the database open, as they do all day: nobody recovers the WAL but after a crash.
    const other = folder.open()
    await other.saveSession({ sessionId: 's', createdAt: at })
    const child = folder.run(work, { under: failing(inject) })
    const [first, second, third, turns, ok] = await child.rest()
    expect([first, third, ok, child.errors]).toEqual(['stored', 'stored,stored', 'true', ''])
    const stored = turnIdsOf(await other.loadSession('s'))
    expect(stored?.join(',')).toBe(turns)
    expect(stored).toEqual(expect.arrayContaining(['a', 'd', 'e']))
    expect(await other.checkIntegrity()).toEqual(sound)
    return { second, turns: stored }
  }

  it('a sync that fails at a commit leaves the outcome of each of its writes unknown, and the store goes on', async () => {
    const { second, turns } = await failSecondCommit('fsync:error=EIO:when=2')
    expect(second).toBe('STORE_UNAVAILABLE unknown,STORE_UNAVAILABLE unknown')
    expect(turns).toEqual(['a', 'd', 'e'])
  })

  it('what has an unknown outcome may be there after a crash, all of it or nothing', async () => {
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

  it('a write that fails at a commit likewise', async () => {
    const { second, turns } = await failSecondCommit('pwrite64:error=EIO:when=10')
    expect(second).toBe('STORE_UNAVAILABLE unknown,STORE_UNAVAILABLE unknown')
    expect(turns).toEqual(['a', 'd', 'e'])
  })

  it('a write that finds the disk full once is made again for each alone', async () => {
    const { second, turns } = await failSecondCommit('pwrite64:error=ENOSPC:when=10')
    expect(second).toBe('stored,stored')
    expect(turns).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  // What a read is for depends on what SQLite has in its cache: there are some fifteen until the writes are done.
  // SQLite takes EIO for damage, and every other error for a failure of the system.
  const reads = Array.from({ length: 3 * thoroughness }, (_, i) => 6 + Math.floor((9 * i) / (3 * thoroughness)))
  it.each(reads.flatMap(when => [['EIO', when] as const, ['EPERM', when] as const]))(
    'a read that fails among writes fails those that needed it, and what was acknowledged is stored (%s, read %i)',
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
        const told = ({ revision, deduplicated }) => revision === 2 && deduplicated.length === 0 ? 'stored' : 'twice'
        const results = await Promise.all(ids.map(id => store.changeSession(id, append('new')).then(told, codeOf)))
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
