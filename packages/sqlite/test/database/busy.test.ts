import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { containing } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, outcomesOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

/** The longest time, in ms, for which a timer of 5 ms did not tick during `work`. */
async function longestPause(work: Promise<unknown>): Promise<number> {
  let last = performance.now()
  let longest = 0
  const look = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(look, 5)
  await work
  clearInterval(timer)
  look()
  return longest
}

/** The transactions in the WAL: those of its frames that say how large the database is after a commit. */
function commits(): number {
  const wal = readFileSync(`${folder.database}-wal`)
  const pageSize = wal.readUInt32BE(8)
  let count = 0
  for (let frame = 32; frame + 24 + pageSize <= wal.length; frame += 24 + pageSize) {
    // Frames of an earlier round have another salt.
    if (wal.readUInt32BE(frame + 4) !== 0 && wal.compare(wal, 16, 24, frame + 8, frame + 16) === 0) count++
  }
  return count
}

describe('while another process holds the write lock', () => {
  it('a write waits without blocking this process, reads continue, and the write succeeds', async () => {
    const held = 2000
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    const holder = await folder.holder()
    const writing = Promise.all([
      store.changeSession('s', append('a')),
      store.saveSession({ sessionId: 'new', createdAt: at }),
      store.deleteSession('none'),
    ])
    let isWritten = false
    void writing.then(() => (isWritten = true))
    const reading = (async () => {
      const end = performance.now() + held
      let reads = 0
      while (performance.now() < end) {
        expect((await store.loadSession('s'))?.turns).toEqual([])
        expect((await store.querySessions()).sessions).toHaveLength(1)
        reads++
        await sleep(20)
      }
      return reads
    })()
    expect(await longestPause(reading)).toBeLessThan(held / 4)
    expect(await reading).toBeGreaterThan(5)
    expect(isWritten).toBe(false)
    holder.tell('end')
    expect(await writing).toEqual([{ revision: 2, turnCount: 1, deduplicated: [] }, 1, false])
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['a'])
  })

  it('the first call of all, which opens the database, waits as well', async () => {
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }))
    const holder = await folder.holder()
    const store = folder.open()
    const writing = store.changeSession('s', append('a'))
    expect(await longestPause(sleep(1500))).toBeLessThan(750)
    holder.tell('end')
    expect((await writing).turnCount).toBe(1)
  })

  it('a write fails as not stored after timeoutMs, and is not stored later', async () => {
    const store = folder.open({ timeoutMs: 1000 })
    await store.saveSession({ sessionId: 's', createdAt: at })
    const holder = await folder.holder()
    const began = performance.now()
    const writes = [
      store.changeSession('s', append('a')),
      store.saveSession({ sessionId: 'new', createdAt: at }),
      store.deleteSession('s'),
    ]
    const failures = await Promise.all(writes.map(failureOf))
    const waited = performance.now() - began
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'STORE_BUSY', outcome: 'not-stored', message: containing('1000 ms') })
    }
    expect(failures.map(failure => failure.sessionId)).toEqual(['s', 'new', 's'])
    expect(waited).toBeGreaterThanOrEqual(999)
    // A later write has its own deadline.
    const late = store.changeSession('s', append('late'))
    await sleep(100)
    holder.tell('end')
    expect((await late).turnCount).toBe(1)
    expect(await store.listSessions()).toEqual(['s'])
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(['late'])
  })

  it('close() waits for the waiting write', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    const holder = await folder.holder()
    const writing = store.changeSession('s', append('a'))
    const closing = store.close()
    await sleep(100)
    holder.tell('end')
    await closing
    expect((await writing).turnCount).toBe(1)
    expect(turnIdsOf(await folder.open().loadSession('s'))).toEqual(['a'])
  })
})

describe('several processes that write at once', () => {
  it('two that write all the time share the database within a factor of three', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    // Several rounds: on a busy machine, one of the two may get less of the processor.
    let isShared = false
    for (let round = 0; round < 3 && !isShared; round++) {
      const [a = 0, b = 0] = await turnsOfTwo(`${round}`)
      isShared = Math.min(a, b) > 50 && Math.max(a, b) / Math.min(a, b) < 3
    }
    expect(isShared).toBe(true)
  })

  /** How many turns each of two processes recorded in the same four seconds. */
  async function turnsOfTwo(round: string): Promise<number[]> {
    const names = [`a${round}`, `b${round}`]
    const writers = names.map(name =>
      folder.run(`await store.saveSession({ sessionId: '${name}', createdAt: at })
        say('ready')
        for await (const _line of createInterface(process.stdin)) break
        const began = performance.now()
        for (let i = 0; performance.now() < began + 4000; i++) await store.changeSession('${name}', append('t' + i))
        process.exit()`),
    )
    for (const child of writers) expect(await child.line()).toBe('ready')
    for (const child of writers) child.tell('go')
    for (const child of writers) expect([await child.rest(), child.errors]).toEqual([[], ''])
    return Promise.all(names.map(async name => (await folder.open().loadSummary(name))?.turnCount ?? 0))
  }

  it('four keep 64 of 64 turns on one session, once each', async () => {
    await folder.open().saveSession({ sessionId: 's', createdAt: at })
    const names = ['a', 'b', 'c', 'd']
    const writers = names.map(name =>
      folder.run(`say('ready')
        for await (const _line of createInterface(process.stdin)) break
        const write = i => store.changeSession('s', append('${name}' + i))
        await Promise.all(Array.from({ length: 8 }, (_, i) => write(i)))
        for (let i = 8; i < 16; i++) await write(i)
        process.exit()`),
    )
    for (const child of writers) expect(await child.line()).toBe('ready')
    for (const child of writers) child.tell('go')
    for (const child of writers) expect([await child.rest(), child.errors]).toEqual([[], ''])
    const session = await folder.open().loadSession('s')
    const expected = names.flatMap(name => Array.from({ length: 16 }, (_, i) => `${name}${i}`))
    expect(turnIdsOf(session)?.toSorted()).toEqual(expected.toSorted())
    expect(session?.revision).toBe(65)
  })
})

describe('simultaneous writes', () => {
  it('are one transaction, and each succeeds or fails on its own', async () => {
    // Several rounds: a slow machine may split the transaction.
    let isOne = false
    for (let round = 0; round < 10 && !isOne; round++) isOne = (await commitsOfMixedWrites(`${round}`)) === 1
    expect(isOne).toBe(true)
    const store = folder.open()
    expect(await store.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  /** Twelve writes at once, of which seven fail, on sessions with this in their ids. */
  async function commitsOfMixedWrites(round: string): Promise<number> {
    const store = folder.open()
    const [s, gone, theirs, made] = [`s${round}`, `gone${round}`, `theirs${round}`, `new${round}`]
    await store.saveSession({ sessionId: s, createdAt: at, turns: [{ turnId: 'first', prompt: 'as it was' }] })
    await store.saveSession({ sessionId: gone, createdAt: at })
    await store.saveSession({ sessionId: theirs, workspaceId: 'w', createdAt: at })
    const before = commits()
    const outcomes = await outcomesOf([
      store.changeSession(s, append('a')),
      store.changeSession(s, append('first')),
      store.changeSession(`none${round}`, append('b')),
      store.changeSession(s, append('c'), { ifRevision: 1 }),
      store.changeSession(s, { ...append('d'), updateTurns: [{ turnId: 'missing', set: { status: 'error' } }] }),
      store.deleteSession(gone),
      store.changeSession(gone, append('e')),
      store.saveSession({ sessionId: theirs, createdAt: at }),
      store.saveSession({ sessionId: made, createdAt: at }),
      store.changeSession(made, append('f'), { ifRevision: 1 }),
      store.changeSession(s, append('a')),
      store.changeSession(s, append('g')),
    ])
    const count = commits() - before
    const failed = (code: string): object => ({ code, outcome: 'not-stored' })
    expect(outcomes).toMatchObject([
      { revision: 2, turnCount: 2 },
      failed('TURN_ID_CONFLICT'),
      failed('SESSION_NOT_FOUND'),
      failed('REVISION_CONFLICT'),
      failed('TURN_NOT_FOUND'),
      true,
      failed('SESSION_NOT_FOUND'),
      failed('SESSION_EXISTS'),
      1,
      { revision: 2 },
      { revision: 2, deduplicated: ['a'] },
      { revision: 3, turnCount: 3 },
    ])
    expect(turnIdsOf(await store.loadSession(s))).toEqual(['first', 'a', 'g'])
    expect((await store.listSessions()).filter(id => id.endsWith(round)).toSorted()).toEqual(
      [made, s, theirs].toSorted(),
    )
    return count
  }

  it('are several transactions if they are long, and timers run in between', async () => {
    const store = folder.open()
    await store.saveSession({ sessionId: 's', createdAt: at })
    const ids = Array.from({ length: 1500 }, (_, i) => `t${i}`)
    let ticks = 0
    let began = 0
    const timer = setInterval(() => ticks++, 1)
    const turn = { prompt: 'x'.repeat(4000) }
    const writes = ids.map(turnId => store.changeSession('s', { appendTurns: [{ turnId, ...turn }], updatedAt: at }))
    began = ticks
    const results = await Promise.all(writes)
    clearInterval(timer)
    expect(ticks - began).toBeGreaterThan(3)
    expect(results.map(({ revision }) => revision)).toEqual(ids.map((_, i) => i + 2))
    expect(turnIdsOf(await store.loadSession('s'))).toEqual(ids)
  })
})
