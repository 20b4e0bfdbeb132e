import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { withSmallDisk } from '../../../../scripts/testing/disks.ts'
import { hasPrlimit, mayMount } from '../../../../scripts/testing/machine.ts'
import { containing } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, outcomesOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const sound = { ok: true, problems: [] }
const large = (turnId: string, size: number): Parameters<ReturnType<Folder['open']>['changeSession']>[1] => ({
  appendTurns: [{ turnId, prompt: 'x'.repeat(size) }],
  updatedAt: at,
})
const full = { code: 'STORE_UNAVAILABLE', outcome: 'not-stored', message: containing('no space left') }

describe.skipIf(!mayMount)(`a disk that is full${mayMount ? '' : ' (needs root, to mount a small one)'}`, () => {
  it('stores those of several simultaneous writes that fit, and the others fail', async () => {
    const disk = folder.path('disk')
    await withSmallDisk(disk, 2048, async () => {
      const store = folder.open({}, `${disk}/sessions.db`)
      await store.saveSession({ sessionId: 's', createdAt: at })
      await store.saveSession({ sessionId: 'other', createdAt: at })
      const outcomes = await outcomesOf([
        store.changeSession('s', append('a')),
        store.changeSession('s', large('too large', 4_000_000)),
        store.changeSession('s', append('b')),
        store.changeSession('none', append('c')),
        store.saveSession({
          sessionId: 'large',
          metadata: { text: 'x'.repeat(1_000_000) },
          turns: [{ turnId: 't', prompt: 'x'.repeat(3_000_000) }],
        }),
        store.saveSession({ sessionId: 'new', createdAt: at }),
        store.deleteSession('other'),
        store.changeSession('s', append('d')),
      ])
      expect(outcomes).toMatchObject([
        { revision: 2 },
        { ...full, sessionId: 's' },
        { revision: 3 },
        { code: 'SESSION_NOT_FOUND', outcome: 'not-stored' },
        { ...full, sessionId: 'large' },
        1,
        true,
        { revision: 4, turnCount: 3 },
      ])
      expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a', 'b', 'd'])
      expect((await store.listSessions()).toSorted()).toEqual(['new', 's'])
      expect(await store.checkIntegrity()).toEqual(sound)
    })
  })

  it.each([512, 1000])(
    'keeps what was stored when nothing fits any more, and works again with space (%i KiB)',
    async kilobytes => {
      const disk = folder.path('disk')
      await withSmallDisk(disk, kilobytes, async resize => {
        const store = folder.open({ timeoutMs: 2000 }, `${disk}/sessions.db`)
        await store.saveSession({ sessionId: 's', createdAt: at })
        const stored: string[] = []
        const failures: unknown[] = []
        for (let i = 0; failures.length < 3 && i < 500; i++) {
          await store.changeSession('s', large(`t${i}`, 7001)).then(
            () => stored.push(`t${i}`),
            (error: unknown) => failures.push(error),
          )
        }
        expect(failures).toMatchObject([full, full, full])
        expect(stored.length).toBeGreaterThan(2)
        const together = await outcomesOf(
          Array.from({ length: 8 }, (_, i) => store.changeSession('s', large(`u${i}`, 50_000))),
        )
        expect(together).toMatchObject(together.map(() => full))
        expect(turnIdsOf(await store.loadSession('s'))).toEqual(stored)
        expect(await store.checkIntegrity()).toEqual(sound)
        resize(kilobytes * 8)
        await store.changeSession('s', append('last'))
        expect(await store.checkIntegrity()).toEqual(sound)
        await store.close()
        await folder.once(
          async again => expect(turnIdsOf(await again.loadSession('s'))).toEqual([...stored, 'last']),
          `${disk}/sessions.db`,
        )
      })
    },
  )

  it('fails the first call, which cannot create the database, and the next one creates it', async () => {
    const disk = folder.path('disk')
    await withSmallDisk(disk, 64, async resize => {
      writeFileSync(`${disk}/other`, Buffer.alloc(60_000))
      const store = folder.open({}, `${disk}/sessions.db`)
      expect(await failureOf(store.saveSession({ sessionId: 's' }))).toMatchObject({
        code: 'STORE_UNAVAILABLE',
        outcome: 'not-stored',
      })
      rmSync(`${disk}/other`)
      resize(2048)
      expect(await store.saveSession({ sessionId: 's' })).toBe(1)
    })
  })

  it('fails a store that finds no space for the shared memory of the processes', async () => {
    const disk = folder.path('disk')
    await withSmallDisk(disk, 512, async resize => {
      await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), `${disk}/sessions.db`)
      for (const left of [20_000, 8000, 0]) {
        const { bavail, bsize } = statfsSync(disk)
        writeFileSync(`${disk}/other`, Buffer.alloc(bavail * bsize - left))
        expect(await failureOf(folder.open({}, `${disk}/sessions.db`).deleteSession('s'))).toMatchObject(full)
        rmSync(`${disk}/other`)
      }
      resize(2048)
      expect(await folder.open({}, `${disk}/sessions.db`).listSessions()).toEqual(['s'])
    })
  })

  it('leaves no part of a backup, and the store keeps working', async () => {
    const disk = folder.path('disk')
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    for (let i = 0; i < 10; i++) await store.changeSession('s', large(`t${i}`, 100_000))
    await withSmallDisk(disk, 512, async resize => {
      expect(await failureOf(store.backup(`${disk}/copy.db`))).toMatchObject({ code: 'STORE_UNAVAILABLE' })
      expect(readdirSync(disk)).toEqual([])
      resize(4096)
      await store.backup(`${disk}/copy.db`)
      await folder.once(async copy => expect((await copy.loadSession('s'))?.turns).toHaveLength(10), `${disk}/copy.db`)
    })
  })
})

it.skipIf(!hasPrlimit)(
  'a process that may not grow a file further gets errors for writes, and can still read (needs prlimit)',
  async () => {
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
    const child = folder.run(
      `process.on('SIGXFSZ', () => {})
    let stored = 0, failed = null
    while (failed === null && stored < 500) {
      const turn = { turnId: 't' + stored, prompt: 'x'.repeat(7001) }
      const write = store.changeSession('s', { appendTurns: [turn], updatedAt: at })
      await write.then(() => stored++, error => { failed = error })
    }
    say(stored); say(failed.code)
    say(await store.changeSession('s', append('late')).then(() => 'stored', codeOf))
    say((await store.loadSession('s')).turns.length)`,
      { under: ['prlimit', '--fsize=500000'] },
    )
    const [stored, code, , turns] = await child.rest()
    expect([Number(stored) > 5, code, child.errors]).toEqual([true, 'STORE_UNAVAILABLE', ''])
    const store = folder.open()
    const ids = turnIdsOf(await store.loadSession('s')) ?? []
    expect(ids.slice(0, Number(stored))).toEqual(Array.from({ length: Number(stored) }, (_, i) => `t${i}`))
    expect(String(ids.length)).toBe(turns)
    expect((await store.changeSession('s', append('next'))).turnCount).toBe(ids.length + 1)
    expect(await store.checkIntegrity()).toEqual(sound)
  },
)
