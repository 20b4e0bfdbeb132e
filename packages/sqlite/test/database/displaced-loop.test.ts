import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { expect, it } from 'vitest'
import type { Child } from '../../../../scripts/testing/child.ts'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const rounds = 3 * thoroughness
const CHILDREN = 4

/**
 * Records turns of its own session until the input ends, in the database of the round that it is given. What was
 * acknowledged it writes to its log, with the time at which the call was made and that at which it was acknowledged.
 * When the store becomes unavailable, it opens a new one.
 */
const recorder = (child: number): string => `
  let round = null, ended = false
  createInterface(process.stdin).on('line', line => { round = line === 'stop' ? null : JSON.parse(line) })
    .on('close', () => { ended = true })
  const log = ${JSON.stringify(folder.path(`log-${child}`))}
  let next = 0
  while (!ended) {
    if (round === null) { await sleep(1); continue }
    const mine = round
    let open = new SqliteSessionStore(mine.path, { durability: mine.durability, timeoutMs: 500 })
    say('open')
    while (round === mine) {
      const id = 't' + next++
      const turn = { turnId: id, prompt: 'x'.repeat(next * 97 % 3000) }
      const began = process.hrtime.bigint()
      try {
        await open.changeSession('s${child}', { appendTurns: [turn], updatedAt: at })
        fs.appendFileSync(log, ['ok', id, began, process.hrtime.bigint()].join(' ') + '\\n')
      } catch (error) {
        fs.appendFileSync(log, ['no', id, error.code, error.outcome].join(' ') + '\\n')
        if (error.code === 'SESSION_NOT_FOUND') await open.saveSession({ sessionId: 's${child}', createdAt: at }, { ifRevision: 0 }).catch(() => {})
        if (error.code !== 'STORE_UNAVAILABLE') continue
        await open.close().catch(() => {})
        open = new SqliteSessionStore(mine.path, { durability: mine.durability, timeoutMs: 500 })
      }
    }
    await open.close().catch(() => {})
    say('closed')
  }`

interface Entry {
  readonly id: string
  readonly began: bigint
}

/** What a child has logged since the last call: the acknowledged turns, and how the others failed. */
function takeLog(child: number): { acknowledged: Entry[]; failures: string[] } {
  const path = folder.path(`log-${child}`)
  const acknowledged: Entry[] = []
  const failures: string[] = []
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [kind, id = '', ...rest] = line.split(' ')
    if (kind === 'ok') acknowledged.push({ id, began: BigInt(rest[0] ?? 0) })
    if (kind === 'no') failures.push(rest.join(' '))
  }
  writeFileSync(path, '')
  return { acknowledged, failures }
}

const ways = ['removed', 'moved', 'replaced by a backup'] as const

/** Returns the moment at which it was done. */
async function displace(way: (typeof ways)[number], path: string, backup: string): Promise<bigint> {
  if (way === 'removed') rmSync(path)
  else renameSync(way === 'moved' ? path : backup, way === 'moved' ? `${path}.old` : path)
  if (way !== 'replaced by a backup') return process.hrtime.bigint()
  // Replacing a database includes removing the files of the old one. Until then, no store can be opened.
  for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true })
  return process.hrtime.bigint()
}

/**
 * What was moved away is a database only with its WAL: a checkpoint that another process's read keeps from its end leaves
 * out the pages that the rest of the WAL has. The WAL stayed, and a new store set it aside.
 */
async function turnsMovedAway(path: string): Promise<string[][]> {
  const wals = readdirSync(dirname(path)).filter(name => name.startsWith(`${basename(path)}-wal.left-`))
  expect(wals.length).toBeLessThanOrEqual(1)
  for (const name of wals) renameSync(join(dirname(path), name), `${path}.old-wal`)
  return turnsIn(`${path}.old`)
}

async function turnsIn(path: string): Promise<string[][]> {
  const store = new SqliteSessionStore(path)
  try {
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
    const all: string[][] = []
    for (let child = 0; child < CHILDREN; child++) {
      all.push(((await store.loadSession(`s${child}`))?.turns ?? []).map(({ turnId }) => turnId))
    }
    return all
  } finally {
    await store.close()
  }
}

/** Waits until each child has logged something more. */
async function allHaveLogged(): Promise<void> {
  const sizeOf = (child: number): number => statSync(folder.path(`log-${child}`)).size
  const before = Array.from({ length: CHILDREN }, (_, child) => sizeOf(child))
  await expect
    .poll(() => before.every((size, child) => sizeOf(child) > size), { timeout: 30_000, interval: 2 })
    .toBe(true)
}

async function expectLine(child: Child, line: string): Promise<void> {
  const found = await child.line()
  if (found !== line) throw new Error(`${String(found)} instead of ${line}: ${child.errors}`)
}

async function prepare(path: string, backup: string): Promise<void> {
  const store = new SqliteSessionStore(path)
  for (let child = 0; child < CHILDREN; child++) await store.saveSession({ sessionId: `s${child}`, createdAt: at })
  await store.backup(backup)
  await store.close()
}

it(
  `what four processes acknowledge after their database was removed, moved or replaced is in the database at the path (${rounds} rounds)`,
  async () => {
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    for (let child = 0; child < CHILDREN; child++) writeFileSync(folder.path(`log-${child}`), '')
    const children = Array.from({ length: CHILDREN }, (_, child) =>
      folder.run(recorder(child), { path: folder.path('unused.db') }),
    )
    const seen = { before: 0, after: 0, refused: 0 }
    for (let round = 0; round < rounds; round++) {
      const base = folder.path(`round-${round}`)
      mkdirSync(base)
      const [path, backup] = [`${base}/sessions.db`, `${base}/backup.db`]
      const way = ways[round % ways.length] ?? 'removed'
      const durability = Math.floor(round / ways.length) % 2 === 0 ? 'power-loss' : 'process-crash'
      const about = { seed, round, way, durability }
      await prepare(path, backup)
      for (const child of children) child.tell(JSON.stringify({ path, durability }))
      for (const child of children) await expectLine(child, 'open')
      // Each has work to lose, however busy the machine is.
      await allHaveLogged()
      await sleep(10 + moments.next().value * 60)
      const moment = await displace(way, path, backup)
      await allHaveLogged()
      await sleep(60 + moments.next().value * 30)
      for (const child of children) child.tell('stop')
      for (const child of children) await expectLine(child, 'closed')

      const stored = await turnsIn(path)
      const old = way === 'moved' ? await turnsMovedAway(path) : stored.map(() => [])
      for (let child = 0; child < CHILDREN; child++) {
        const { acknowledged, failures } = takeLog(child)
        const there = new Set(stored[child])
        const after = acknowledged.filter(({ began }) => began > moment).map(({ id }) => id)
        expect({ ...about, child, lost: after.filter(id => !there.has(id)) }).toEqual({ ...about, child, lost: [] })
        expect({ ...about, child, twice: old[child]?.filter(id => there.has(id)) }).toEqual({
          ...about,
          child,
          twice: [],
        })
        const known = /^(STORE_UNAVAILABLE (not-stored|unknown)|SESSION_NOT_FOUND not-stored|STORE_BUSY not-stored)$/
        expect({ ...about, child, failures: failures.filter(each => !known.test(each)) }).toEqual({
          ...about,
          child,
          failures: [],
        })
        seen.before += acknowledged.length - after.length
        seen.after += after.length
        seen.refused += failures.filter(each => each.startsWith('STORE_UNAVAILABLE')).length
      }
      rmSync(base, { recursive: true })
    }
    for (const child of children) child.process.stdin?.end()
    for (const child of children) expect([await child.rest(), child.errors]).toEqual([[], ''])
    expect(seen.before).toBeGreaterThan(rounds)
    expect(seen.after).toBeGreaterThan(rounds)
    expect(seen.refused).toBeGreaterThanOrEqual(rounds)
  },
  60_000 + rounds * 3000,
)
