import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { append, at } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()

describe('a file that is damaged', () => {
  /** The bytes of a closed database of many pages, and its sessions. */
  async function leaveDatabase(): Promise<{ bytes: Buffer; records: string }> {
    const store = folder.open()
    for (let i = 0; i < 6; i++) {
      const turns = Array.from({ length: 10 * i }, (_, j) => ({
        turnId: `t${j}`,
        prompt: `${i}.${j} `.repeat(5 + 20 * i),
      }))
      await store.saveSession({
        sessionId: `s${i}`,
        createdAt: at,
        updatedAt: at,
        turns,
        metadata: { number: i },
        agentTransitions: [{ toAgent: 'x' }],
      })
    }
    await store.changeSession('s0', append('large'))
    const all = await Promise.all(Array.from({ length: 6 }, (_, i) => store.loadSession(`s${i}`)))
    await store.close()
    return { bytes: readFileSync(folder.database), records: JSON.stringify(all) }
  }

  /**
   * Another process, since damage may crash it. For each line with a path it reports the state of each session in that
   * database, whether reading wrote to the file, and the outcome of a change.
   */
  const reader = (): ReturnType<Folder['run']> =>
    folder.run(`
    const records = JSON.parse(fs.readFileSync(${JSON.stringify(folder.path('records'))}, 'utf8'))
    const ids = records.map(({ sessionId }) => sessionId).join()
    const codeOr = call => call().catch(error => error.name === 'TurnstoreError' ? error.code : 'WRONG ' + error.stack)
    const key = session => session && JSON.stringify(session)
    const same = (found, expected) => typeof found === 'string' ? found : found === null ? 'none'
      : key(found) === key(expected) ? 'same'
      : found.turns.length === expected.turns.length ? 'altered' : 'MISSING TURNS'
    for await (const path of createInterface(process.stdin)) {
      const before = fs.readFileSync(path)
      const store = new SqliteSessionStore(path)
      const loads = []
      for (const record of records) loads.push(same(await codeOr(() => store.loadSession(record.sessionId)), record))
      const others = [
        await codeOr(async () => (await store.listSessions()).toSorted().join() === ids ? 'fine' : 'none'),
        await codeOr(async () => {
          const { sessions, damaged = [] } = await store.querySessions()
          return sessions.length + damaged.length === records.length ? 'fine' : 'none'
        }),
        await codeOr(async () => (await store.readTurns('s4', { last: 3 }), 'fine')),
        await codeOr(async () => (await store.loadSummary('s2'), 'fine')),
      ]
      // The check is slow, so only if a session is missing.
      if ([...loads, ...others].includes('none')) {
        others.push(await codeOr(async () => (await store.checkIntegrity()).ok ? 'sound' : 'damaged'))
      }
      const written = !before.equals(fs.readFileSync(path))
      const change = await codeOr(async () => (await store.changeSession('s4', append('new')), 'fine'))
      await codeOr(() => store.close())
      say(JSON.stringify({ loads, others, written, change }))
    }`)

  interface Report {
    readonly loads: string[]
    readonly others: string[]
    readonly written: boolean
    readonly change: string
  }

  function isReport(value: unknown): value is Report {
    return (
      typeof value === 'object' &&
      value !== null &&
      'loads' in value &&
      'others' in value &&
      'written' in value &&
      'change' in value
    )
  }

  async function reportOf(child: ReturnType<Folder['run']>, bytes: Buffer): Promise<Report> {
    const path = folder.path('damaged.db')
    writeFileSync(path, bytes)
    for (const end of ['-wal', '-shm', '-journal']) if (existsSync(path + end)) execFileSync('rm', [path + end])
    child.tell(path)
    const line = await child.line()
    if (line === null) throw new Error(`the process ended: ${child.errors}`)
    const report: unknown = JSON.parse(line)
    if (!isReport(report)) throw new Error(`unexpected: ${line}`)
    return report
  }

  const known = ['CORRUPT_SESSION', 'STORE_UNAVAILABLE']

  it('that is truncated, at any length, returns what is intact or reports the damage, and reading does not write to it', async () => {
    const { bytes, records } = await leaveDatabase()
    writeFileSync(folder.path('records'), records)
    const child = reader()
    // SQLite treats a file of one byte as empty.
    const lengths = [2, 15, 16, 99, 100, 101, 512, 5000, bytes.length - 1, bytes.length - 4096]
    for (let length = 8192; length < bytes.length; length += 4096) lengths.push(length, length + 77)
    let stillRead = 0
    let damaged = 0
    for (const length of lengths) {
      const report = await reportOf(child, bytes.subarray(0, length))
      const outcomes = [...report.loads, ...report.others]
      expect([length, outcomes.filter(each => !['same', 'fine', ...known].includes(each))]).toEqual([length, []])
      expect([length, report.written]).toEqual([length, false])
      expect([length, [...known, 'fine'].includes(report.change)]).toEqual([length, true])
      damaged += outcomes.filter(each => each === 'CORRUPT_SESSION').length
      stillRead += report.loads.filter(each => each === 'same').length
    }
    expect((await reportOf(child, bytes)).loads).toEqual(Array.from({ length: 6 }, () => 'same'))
    expect(stillRead).toBeGreaterThan(0)
    expect(damaged).toBeGreaterThan(stillRead)
    child.process.stdin?.end()
    expect([await child.rest(), child.errors]).toEqual([[], ''])
  })

  it('in any byte returns what is stored or reports the damage, loses no turn, and reading does not write to it', async () => {
    const { bytes, records } = await leaveDatabase()
    writeFileSync(folder.path('records'), records)
    const child = reader()
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    const random = (below: number): number => Math.floor(moments.next().value * below)
    const seen = new Map<string, number>()
    // Anywhere; at the beginning of a page, where its structure is; and wherever an id is stored.
    const places = Array.from({ length: 40 * thoroughness }, () => [
      random(bytes.length),
      random(bytes.length / 8192) * 8192 + random(120),
    ]).flat()
    for (let place = bytes.indexOf('s3'); place !== -1; place = bytes.indexOf('s3', place + 1))
      places.push(place, place + 1)
    for (const [round, place] of places.entries()) {
      const flipped = Buffer.from(bytes)
      flipped[place] = (flipped[place] ?? 0) ^ (1 + random(255))
      const about = { seed, round, place }
      const report = await reportOf(child, flipped)
      const outcomes = [...report.loads, ...report.others, report.change]
      const allowed = [
        'same',
        'altered',
        'none',
        'fine',
        'damaged',
        'sound',
        ...known,
        'SESSION_NOT_FOUND',
        'TURN_ID_CONFLICT',
        'SCHEMA_TOO_NEW',
      ]
      expect({ ...about, wrong: outcomes.filter(each => !allowed.includes(each)) }).toEqual({ ...about, wrong: [] })
      // Bytes 18 and 19 are the journal mode, which opening the database corrects.
      expect({ ...about, written: report.written && place !== 18 && place !== 19 }).toEqual({
        ...about,
        written: false,
      })
      // If a session is not found or not listed any more, the check reports it.
      expect({ ...about, unnoticed: outcomes.includes('none') && outcomes.includes('sound') }).toEqual({
        ...about,
        unnoticed: false,
      })
      for (const each of outcomes) seen.set(each, (seen.get(each) ?? 0) + 1)
    }
    expect(seen.get('none')).toBeGreaterThan(0)
    expect(seen.get('CORRUPT_SESSION')).toBeGreaterThan(0)
    expect(seen.get('same')).toBeGreaterThan(200)
    child.process.stdin?.end()
    expect([await child.rest(), child.errors]).toEqual([[], ''])
  })
})
