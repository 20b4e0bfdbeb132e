import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { inspect } from 'node:util'
import type { SqliteSessionStore } from '@turnstore/sqlite'
import type Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { isRoot, mayMount, momentsOf, thoroughness } from '../../../../scripts/testing/machine.ts'
import { withSmallDisk } from '../../../../scripts/testing/disks.ts'
import { containing, matching } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const canary = 'canary-5150'
const problem = (message: RegExp | string): unknown => ({ sessionId: 's', message: matching(message) })

describe('rows that somebody altered', () => {
  const turns = ['t0', 't1', 't2', 't3'].map(turnId => ({ turnId, prompt: canary }))

  async function store(): Promise<SqliteSessionStore> {
    const store = folder.open()
    await store.saveSession({
      sessionId: 's',
      workspaceId: 'w',
      agentId: 'a',
      createdAt: at,
      turns,
      metadata: { secret: canary },
      agentTransitions: ['x', 'y', 'z'].map(toAgent => ({
        toAgent,
        transitionId: toAgent,
        turnId: 't1',
        reason: canary,
      })),
      extra: { later: canary },
    })
    await store.saveSession({ sessionId: 'well', workspaceId: 'w', createdAt: at })
    return store
  }

  const calls = {
    load: (store: SqliteSessionStore) => store.loadSession('s'),
    'all turns': (store: SqliteSessionStore) => store.readTurns('s', { from: 0 }),
    'the last turn': (store: SqliteSessionStore) => store.readTurns('s', { last: 1 }),
    summary: (store: SqliteSessionStore) => store.loadSummary('s'),
    append: (store: SqliteSessionStore) => store.changeSession('s', append('new')),
    'append again': (store: SqliteSessionStore) =>
      store.changeSession('s', { appendTurns: [{ turnId: 't1', prompt: canary }], updatedAt: at }),
    'update a turn': (store: SqliteSessionStore) =>
      store.changeSession('s', { updateTurns: [{ turnId: 't1', set: { status: 'error' } }], updatedAt: at }),
    'set metadata': (store: SqliteSessionStore) => store.changeSession('s', { setMetadata: { k: 1 }, updatedAt: at }),
    'hand over again': (store: SqliteSessionStore) =>
      store.changeSession('s', {
        appendAgentTransitions: [{ toAgent: 'x', transitionId: 'x', turnId: 't1', reason: canary }],
        updatedAt: at,
      }),
  }
  type Call = keyof typeof calls
  const everyCall = Object.keys(calls).filter((name): name is Call => name in calls)
  const writes: readonly Call[] = ['append', 'append again', 'update a turn', 'set metadata', 'hand over again']
  const turn1: readonly Call[] = ['load', 'all turns', 'append again', 'update a turn']
  const counted: readonly Call[] = ['load', 'all turns', 'the last turn', ...writes]
  const meta: readonly Call[] = ['load', 'summary', 'set metadata']

  const place = (seq: number): string => `session = 1 AND is_head = 0 AND seq = ${seq}`
  const head = 'session = 1 AND is_head = 1'

  // What is broken, the statement that breaks it, the calls that meet it, and the place that they name.
  const damages: [name: string, sql: string, met: readonly Call[], place: RegExp][] = [
    [
      'a turn that is no JSON',
      `UPDATE turnstore_turns SET body = '{"prompt":"${canary}' WHERE session = 1 AND seq = 1`,
      turn1,
      /turn 1/,
    ],
    [
      'a turn that is a list',
      `UPDATE turnstore_turns SET body = '["${canary}"]' WHERE session = 1 AND seq = 1`,
      turn1,
      /turn 1/,
    ],
    [
      'a turn without an id',
      `UPDATE turnstore_turns SET body = '{"prompt":"${canary}"}' WHERE session = 1 AND seq = 1`,
      turn1,
      /turn 1/,
    ],
    ['a turn that is missing', `DELETE FROM turnstore_turns WHERE session = 1 AND seq = 1`, turn1, /turns are missing/],
    [
      'a turn of another place',
      `UPDATE turnstore_turns SET seq = 9 WHERE session = 1 AND seq = 1`,
      turn1,
      /turns are missing/,
    ],
    [
      'a turn of another session',
      `UPDATE turnstore_turns SET session = 2 WHERE session = 1 AND seq = 1`,
      turn1,
      /turns are missing/,
    ],
    ['a place that leads to another turn', `UPDATE turnstore_places SET turn = turn + 1 WHERE ${place(1)}`, turn1, /turns are missing/],
    ['a place that leads nowhere', `UPDATE turnstore_places SET turn = NULL WHERE ${place(1)}`, turn1, /turns are missing/],
    [
      'a place that is missing',
      `DELETE FROM turnstore_places WHERE ${place(1)}`,
      ['load', 'all turns'],
      /turns are missing/,
    ],
    ['a turn in another place', `UPDATE turnstore_places SET seq = 9 WHERE ${place(1)}`, counted, /turns/],
    ['a last place that is missing', `DELETE FROM turnstore_places WHERE ${place(3)}`, counted, /turns/],
    ['too few turns counted', `UPDATE turnstore_places SET turn_count = 3 WHERE ${head}`, counted, /turns/],
    ['too many turns counted', `UPDATE turnstore_places SET turn_count = 5 WHERE ${head}`, counted, /turns/],
    ['no turns counted', `UPDATE turnstore_places SET turn_count = 0 WHERE ${head}`, counted, /turns/],
    ['a count below zero', `UPDATE turnstore_places SET turn_count = -1 WHERE ${head}`, everyCall, /turn_count/],
    ['no count', `UPDATE turnstore_places SET turn_count = NULL WHERE ${head}`, everyCall, /turn_count/],
    ['a revision below zero', `UPDATE turnstore_places SET revision = -1 WHERE ${head}`, everyCall, /revision/],
    ['no head', `DELETE FROM turnstore_places WHERE ${head}`, everyCall, /updated_at/],
    ['a head elsewhere', `UPDATE turnstore_places SET seq = 1 WHERE ${head}`, everyCall, /updated_at/],
    [
      'an agent that is none',
      `UPDATE turnstore_sessions SET agent_id = '"${canary}' WHERE session_id = 's'`,
      everyCall,
      /agent_id/,
    ],
    [
      'a time that is none',
      `UPDATE turnstore_places SET updated_at = '"${canary}' WHERE ${head}`,
      everyCall,
      /updated_at/,
    ],
    [
      'metadata that is no JSON',
      `UPDATE turnstore_details SET metadata = '{"${canary}' WHERE metadata LIKE '%secret%'`,
      meta,
      /metadata/,
    ],
    [
      'metadata that is a text',
      `UPDATE turnstore_details SET metadata = '"${canary}"' WHERE metadata LIKE '%secret%'`,
      meta,
      /metadata/,
    ],
    ['no metadata', `DELETE FROM turnstore_details WHERE metadata LIKE '%secret%'`, meta, /metadata/],
    [
      'members of a newer writer that are none',
      `UPDATE turnstore_details SET extra = '[]' WHERE extra LIKE '%later%'`,
      ['load'],
      /extra/,
    ],
    [
      'a transition that is missing',
      `DELETE FROM turnstore_transitions WHERE transition_id = 'y'`,
      ['load'],
      /transitions are missing/,
    ],
    [
      'a transition that is no JSON',
      `UPDATE turnstore_transitions SET body = '${canary}' WHERE transition_id = 'x'`,
      ['load', 'hand over again'],
      /a transition/,
    ],
    [
      'a transition to nobody',
      `UPDATE turnstore_transitions SET body = '{"reason":"${canary}"}' WHERE transition_id = 'x'`,
      ['load', 'hand over again'],
      /a transition/,
    ],
  ]

  const contentOf = (database: Database.Database): unknown[] =>
    ['sessions', 'details', 'places', 'turn_ids', 'turns', 'transitions'].map(table =>
      database.prepare(`SELECT * FROM turnstore_${table} ORDER BY 1`).all(),
    )

  it.each(damages)(
    'are told with session and place by each call that meets them, and not made worse (%s)',
    async (_name, sql, met, place) => {
      const damaged = await store()
      const database = folder.handle()
      expect(database.prepare(sql).run().changes).toBe(1)
      const before = contentOf(database)
      for (const name of met) {
        const error = await failureOf(calls[name](damaged))
        expect([name, error.code, error.sessionId, error.outcome]).toEqual([
          name,
          'CORRUPT_SESSION',
          's',
          writes.includes(name) ? 'not-stored' : undefined,
        ])
        expect(error.message).toContain('"s"')
        expect(error.message).toMatch(place)
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(canary)
      }
      expect(contentOf(database)).toEqual(before)

      const page = await damaged.querySessions({ workspaceId: 'w' })
      expect(inspect(page.damaged, { depth: 10 })).not.toContain(canary)
      expect(page.damaged?.map(({ sessionId, code }) => [sessionId, code]) ?? []).toEqual(
        met.includes('summary') ? [['s', 'CORRUPT_SESSION']] : [],
      )
      expect(page.sessions.map(({ sessionId }) => sessionId)).toContain('well')
      expect((await damaged.listSessions()).toSorted()).toEqual(['s', 'well'])

      const report = await damaged.checkIntegrity()
      expect(report.ok).toBe(false)
      expect(report.problems).toContainEqual(problem(place))
      expect(inspect(report, { depth: 10 })).not.toContain(canary)
      expect(report.problems.map(({ sessionId }) => sessionId)).not.toContain('well')

      // Those beside it go on, in one commit with what fails.
      const [fine, failing] = await Promise.allSettled([
        damaged.changeSession('well', append('t')),
        calls[met.includes('append') ? 'append' : 'load'](damaged),
      ])
      expect([fine.status, failing.status]).toEqual(['fulfilled', 'rejected'])
      expect(turnIdsOf(await damaged.loadSession('well'))).toEqual(['t'])
      // What does not meet the damage works, and leaves it to be told as before.
      for (const name of everyCall.filter(each => !met.includes(each))) await calls[name](damaged)
      expect(await failureOf(damaged.loadSession('s'))).toMatchObject({
        code: 'CORRUPT_SESSION',
        message: matching(place),
      })
    },
  )

  const hidden: [name: string, sql: string, found: RegExp][] = [
    [
      'another creation in the listing',
      `UPDATE turnstore_sessions SET created_key = '' WHERE session_id = 's'`,
      /another time than it was created/,
    ],
    [
      'another change in the listing',
      `UPDATE turnstore_sessions SET updated_key = 'x' WHERE session_id = 's'`,
      /another time than it was updated/,
    ],
    ['an end that is none', `UPDATE turnstore_sessions SET ended = 1 WHERE session_id = 's'`, /ended/],
    [
      'a turn under another id',
      `UPDATE turnstore_places SET turn_id = 'other' WHERE ${place(1)}`,
      /Turn 1 cannot be found/,
    ],
    [
      'another change beside the listing',
      `UPDATE turnstore_places SET updated_key = 'x' WHERE ${head}`,
      /another time than it was updated/,
    ],
  ]
  it.each(hidden)(
    'are found by checkIntegrity, which names the session, where no call can meet them (%s)',
    async (_name, sql, found) => {
      const damaged = await store()
      folder.handle().exec(sql)
      expect((await damaged.checkIntegrity()).problems).toEqual([problem(found)])
    },
  )

  it('are not taken for those of another session where an index leads to them', async () => {
    await (await store()).close()
    const bytes = readFileSync(folder.database)
    // In the index of the ids alone, an entry is the id and the number of its row, 2, with the types of both before it.
    const entry = Buffer.from([3, 21, 1, ...Buffer.from('well'), 2])
    expect(bytes.indexOf(entry)).toBe(bytes.lastIndexOf(entry))
    bytes.write('wild', bytes.indexOf(entry) + 3)
    writeFileSync(folder.database, bytes)
    const damaged = folder.open()
    for (const call of [
      () => damaged.loadSession('wild'),
      () => damaged.loadSummary('wild'),
      () => damaged.readTurns('wild', { last: 1 }),
      () => damaged.changeSession('wild', append('a')),
      () => damaged.saveSession({ sessionId: 'wild', workspaceId: 'w' }),
      () => damaged.deleteSession('wild'),
    ]) {
      expect([String(call), await failureOf(call())]).toMatchObject([
        String(call),
        { code: 'CORRUPT_SESSION', sessionId: 'wild' },
      ])
    }
    expect((await damaged.querySessions()).sessions.map(({ sessionId }) => sessionId).toSorted()).toEqual(['s', 'well'])
    expect((await damaged.checkIntegrity()).problems).toContainEqual({ sessionId: null, message: matching(/index/) })
  })

  it('are not taken for the turn of another id', async () => {
    const damaged = await store()
    folder.handle().exec(`UPDATE turnstore_places SET turn_id = 'other' WHERE ${place(1)}`)
    const change = { updateTurns: [{ turnId: 'other', set: { status: 'error' } }], updatedAt: at }
    for (const call of [
      () => damaged.changeSession('s', append('other')),
      () => damaged.changeSession('s', change),
      () => damaged.readTurns('s', { turnId: 'other' }),
    ]) {
      expect(await failureOf(call())).toMatchObject({
        code: 'CORRUPT_SESSION',
        sessionId: 's',
        message: containing('turn 1'),
      })
    }
  })

  const astray: [name: string, sql: string][] = [
    ['a place that is missing', `DELETE FROM turnstore_places WHERE ${place(2)}`],
    ['a place that leads nowhere', `UPDATE turnstore_places SET turn = NULL WHERE ${place(3)}`],
    [
      'a place that leads to a turn before it',
      `UPDATE turnstore_places SET turn = (SELECT turn FROM turnstore_places WHERE ${place(0)}) WHERE ${place(3)}`,
    ],
    [
      'a place that leads to a turn of another session',
      `UPDATE turnstore_places SET turn = (SELECT turn FROM turnstore_places WHERE session = 2 AND turn IS NOT NULL)
       WHERE ${place(3)}`,
    ],
  ]
  const goings: [name: string, call: (store: SqliteSessionStore) => Promise<unknown>][] = [
    ['deleted', store => store.deleteSession('s')],
    ['saved over', store => store.saveSession({ sessionId: 's', workspaceId: 'w', turns: [{ turnId: 'only' }] })],
    ['rewound', store => store.changeSession('s', { keepTurns: 2, updatedAt: at })],
  ]
  it.each(goings.flatMap(([going, call]) => [...damages, ...astray].map(([name, sql]) => [going, name, call, sql] as const)))(
    'keep their session from being %s, and nothing of it is lost (%s)',
    async (_going, _name, call, sql) => {
      const damaged = await store()
      const database = folder.handle()
      expect(database.prepare(sql).run().changes).toBe(1)
      const before = contentOf(database)
      expect(await failureOf(call(damaged))).toMatchObject({ code: 'CORRUPT_SESSION', sessionId: 's', outcome: 'not-stored' })
      expect(contentOf(database)).toEqual(before)
    },
  )

  it.each([...damages, ...astray].map(([name, sql]) => [name, sql] as const))(
    'go with their session where evenIfDamaged says so, and take nothing along that stays (%s)',
    async (_name, sql) => {
      const damaged = await store()
      await damaged.changeSession('well', append('a'))
      const database = folder.handle()
      expect(database.prepare(sql).run().changes).toBe(1)
      expect(await damaged.deleteSession('s', { workspaceId: 'another', evenIfDamaged: true })).toBe(false)
      expect(await damaged.deleteSession('s', { workspaceId: 'w', evenIfDamaged: true })).toBe(true)
      expect(await damaged.deleteSession('s', { evenIfDamaged: true })).toBe(false)
      expect(await damaged.loadSession('s')).toBe(null)
      expect(turnIdsOf(await damaged.loadSession('well'))).toEqual(['a'])
      expect(database.prepare(`SELECT body ->> 'turn_id' FROM turnstore_turns`).pluck().all()).toEqual(['a'])
      expect(await damaged.checkIntegrity()).toEqual({ ok: true, problems: [] })
      expect(await damaged.saveSession({ sessionId: 's', turns: [{ turnId: 'new' }] }, { ifRevision: 0 })).toBe(1)
    },
  )

  it('whose workspace cannot be read go only in a call without one', async () => {
    const damaged = await store()
    const database = folder.handle()
    database.unsafeMode(true)
    database.pragma('writable_schema = ON')
    // No longer STRICT, so that a column takes what is no text.
    database.exec(`UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'turnstore_sessions'`)
    database.exec('PRAGMA writable_schema = RESET')
    database.exec(`UPDATE turnstore_sessions SET workspace_id = x'00' WHERE session_id = 's'`)
    for (const workspaceId of ['w', 'another', null]) {
      const error = await failureOf(damaged.deleteSession('s', { workspaceId, evenIfDamaged: true }))
      expect(error).toMatchObject({ code: 'CORRUPT_SESSION', outcome: 'not-stored' })
    }
    expect(await damaged.deleteSession('s', { evenIfDamaged: true })).toBe(true)
    expect(await damaged.listSessions()).toEqual(['well'])
  })

  it('of a long session keep it from being deleted or rewound, while the process goes on', async () => {
    const long = folder.open()
    const many = Array.from({ length: 10_000 }, (_, index) => ({ turnId: `t${index}`, prompt: 'x'.repeat(500) }))
    await long.saveSession({ sessionId: 's', turns: many })
    await long.saveSession({ sessionId: 'well' })
    const database = folder.handle()
    database.exec(`UPDATE turnstore_turns SET body = '{' WHERE seq = 9000`)
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    for (const change of [{ keepTurns: 0 }, { keepTurns: 9500 }]) {
      const rewinding = failureOf(long.changeSession('s', { ...change, updatedAt: at }))
      const after = long.changeSession('well', append(`after ${change.keepTurns}`))
      expect(await rewinding).toMatchObject({ code: 'CORRUPT_SESSION', outcome: 'not-stored', message: matching(/turn 9000/) })
      await after
    }
    expect((await failureOf(long.deleteSession('s'))).code).toBe('CORRUPT_SESSION')
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(3)
    expect(await long.deleteSession('s', { evenIfDamaged: true })).toBe(true)
    expect(await long.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  it.each([
    ['a turn', `INSERT INTO turnstore_turns (session, seq, body) VALUES (1, 1, '{}')`, '1 turns have no place in their session'],
    ['an id', `INSERT INTO turnstore_turn_ids VALUES (1, 't1', 2)`, '1 ids are of turns that are not there'],
    [
      'a head',
      `INSERT INTO turnstore_places (session, is_head, seq) VALUES (1, 1, 1)`,
      '1 heads of sessions stand where none is looked for',
    ],
  ])('are found by checkIntegrity where nothing leads to them (%s)', async (_name, sql, message) => {
    const damaged = await store()
    folder.handle().exec(sql)
    expect((await damaged.checkIntegrity()).problems).toEqual([{ sessionId: null, message }])
  })

  it.each(['details', 'places', 'turn_ids', 'turns', 'transitions'])(
    'are found by checkIntegrity where they belong to no session (%s)',
    async table => {
      const damaged = await store()
      const database = folder.handle()
      database.pragma('foreign_keys = OFF')
      database.exec(`INSERT INTO turnstore_turn_ids VALUES (1, 't0', 0)`)
      database.exec(`DELETE FROM turnstore_sessions WHERE session_id = 's'`)
      const { problems } = await damaged.checkIntegrity()
      expect(problems).toContainEqual({
        sessionId: null,
        message: matching(new RegExp(`turnstore_${table} has \\d rows that belong to no session`)),
      })
    },
  )

  it.each([
    ['no version', `DELETE FROM turnstore_settings`],
    ['a version that is none', `UPDATE turnstore_settings SET value = 0`],
    ['tables that are others', `ALTER TABLE turnstore_turns RENAME COLUMN body TO text`],
    ['no tables', `DROP TABLE turnstore_turns`],
  ])('of our own tables are told, and nothing is made in their place (%s)', async (_name, sql) => {
    await (await store()).close()
    const database = folder.handle()
    database.exec(sql)
    const tables = (): unknown => database.prepare('SELECT * FROM sqlite_schema ORDER BY 1, 2').all()
    const before = tables()
    const damaged = folder.open()
    expect((await failureOf(damaged.loadSession('s'))).code).toBe('STORE_UNAVAILABLE')
    expect(await failureOf(damaged.changeSession('s', append('a')))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcome: 'not-stored',
    })
    expect(tables()).toEqual(before)
  })
})

describe('a file that is damaged', () => {
  /** A database of many pages, closed, with what each of its sessions holds. */
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
   * Another process, which damage cannot take along: for each line with a path it tells what the sessions in that
   * database are, whether reading wrote to the file, and how a change fared.
   */
  const reader = (): ReturnType<Folder['run']> =>
    folder.run(`
    const records = JSON.parse(fs.readFileSync(${JSON.stringify(folder.path('records'))}, 'utf8'))
    const ids = records.map(({ sessionId }) => sessionId).join()
    const told = call => call().catch(error => error.name === 'TurnstoreError' ? error.code : 'WRONG ' + error.stack)
    const key = session => session && JSON.stringify(session)
    const same = (found, expected) => typeof found === 'string' ? found : found === null ? 'none'
      : key(found) === key(expected) ? 'same'
      : found.turns.length === expected.turns.length ? 'altered' : 'MISSING TURNS'
    for await (const path of createInterface(process.stdin)) {
      const before = fs.readFileSync(path)
      const store = new SqliteSessionStore(path)
      const loads = []
      for (const record of records) loads.push(same(await told(() => store.loadSession(record.sessionId)), record))
      const others = [
        await told(async () => (await store.listSessions()).toSorted().join() === ids ? 'fine' : 'none'),
        await told(async () => {
          const { sessions, damaged = [] } = await store.querySessions()
          return sessions.length + damaged.length === records.length ? 'fine' : 'none'
        }),
        await told(async () => (await store.readTurns('s4', { last: 3 }), 'fine')),
        await told(async () => (await store.loadSummary('s2'), 'fine')),
      ]
      // It takes its time, and is asked where it has to know more than the others.
      if ([...loads, ...others].includes('none')) {
        others.push(await told(async () => (await store.checkIntegrity()).ok ? 'sound' : 'damaged'))
      }
      const written = !before.equals(fs.readFileSync(path))
      const change = await told(async () => (await store.changeSession('s4', append('new')), 'fine'))
      await told(() => store.close())
      say(JSON.stringify({ loads, others, written, change }))
    }`)

  interface Told {
    readonly loads: string[]
    readonly others: string[]
    readonly written: boolean
    readonly change: string
  }

  function isTold(value: unknown): value is Told {
    return (
      typeof value === 'object' &&
      value !== null &&
      'loads' in value &&
      'others' in value &&
      'written' in value &&
      'change' in value
    )
  }

  async function tell(child: ReturnType<Folder['run']>, bytes: Buffer): Promise<Told> {
    const path = folder.path('damaged.db')
    writeFileSync(path, bytes)
    for (const end of ['-wal', '-shm', '-journal']) if (existsSync(path + end)) execFileSync('rm', [path + end])
    child.tell(path)
    const line = await child.line()
    if (line === null) throw new Error(`the process ended: ${child.errors}`)
    const told: unknown = JSON.parse(line)
    if (!isTold(told)) throw new Error(`not what was asked: ${line}`)
    return told
  }

  const known = ['CORRUPT_SESSION', 'STORE_UNAVAILABLE']

  it('and cut off gives what is whole or says so, at every length, and reading does not write to it', async () => {
    const { bytes, records } = await leaveDatabase()
    writeFileSync(folder.path('records'), records)
    const child = reader()
    // One byte is none for SQLite.
    const lengths = [2, 15, 16, 99, 100, 101, 512, 5000, bytes.length - 1, bytes.length - 4096]
    for (let length = 8192; length < bytes.length; length += 4096) lengths.push(length, length + 77)
    let stillRead = 0
    let damaged = 0
    for (const length of lengths) {
      const told = await tell(child, bytes.subarray(0, length))
      const outcomes = [...told.loads, ...told.others]
      expect([length, outcomes.filter(each => !['same', 'fine', ...known].includes(each))]).toEqual([length, []])
      expect([length, told.written]).toEqual([length, false])
      expect([length, [...known, 'fine'].includes(told.change)]).toEqual([length, true])
      damaged += outcomes.filter(each => each === 'CORRUPT_SESSION').length
      stillRead += told.loads.filter(each => each === 'same').length
    }
    expect((await tell(child, bytes)).loads).toEqual(Array.from({ length: 6 }, () => 'same'))
    expect(stillRead).toBeGreaterThan(0)
    expect(damaged).toBeGreaterThan(stillRead)
    child.process.stdin?.end()
    expect([await child.rest(), child.errors]).toEqual([[], ''])
  })

  it('in a byte anywhere gives what is stored or says so, loses no turn, and is not written to by reading', async () => {
    const { bytes, records } = await leaveDatabase()
    writeFileSync(folder.path('records'), records)
    const child = reader()
    const seed = Date.now() % 100_000
    const moments = momentsOf(seed)
    const random = (below: number): number => Math.floor(moments.next().value * below)
    const seen = new Map<string, number>()
    // Anywhere; where the structure is, at the beginning of a page; and in each place where an id stands.
    const places = Array.from({ length: 100 * thoroughness }, () => [
      random(bytes.length),
      random(bytes.length / 8192) * 8192 + random(120),
    ]).flat()
    for (let place = bytes.indexOf('s3'); place !== -1; place = bytes.indexOf('s3', place + 1))
      places.push(place, place + 1)
    for (const [round, place] of places.entries()) {
      const flipped = Buffer.from(bytes)
      flipped[place] = (flipped[place] ?? 0) ^ (1 + random(255))
      const about = { seed, round, place }
      const told = await tell(child, flipped)
      const outcomes = [...told.loads, ...told.others, told.change]
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
      // Bytes 18 and 19 say whether it is in WAL; opening it puts that right.
      expect({ ...about, written: told.written && place !== 18 && place !== 19 }).toEqual({ ...about, written: false })
      // That a session is not found or not listed any more is told by the check.
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

describe('a path', () => {
  const calls = (store: SqliteSessionStore): (() => Promise<unknown>)[] => [
    () => store.loadSession('s'),
    () => store.querySessions(),
    () => store.saveSession({ sessionId: 's' }),
    () => store.checkIntegrity(),
  ]

  async function expectRefused(path: string, message: RegExp): Promise<void> {
    for (const call of calls(folder.open({}, path))) {
      const error = await failureOf(call())
      expect([path, error.code]).toEqual([path, 'STORE_UNAVAILABLE'])
      expect(error.message).toMatch(message)
    }
    expect(await failureOf(folder.open({}, path).saveSession({ sessionId: 's' }))).toMatchObject({
      outcome: 'not-stored',
    })
  }

  it('of what is no database is refused, and the file is left alone', async () => {
    const files: [string, Buffer][] = [
      ['a text', Buffer.from(`Dear diary, ${canary}\n`.repeat(500))],
      ['a short text', Buffer.from(`Dear diary, ${canary}`)],
      ['noise', Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * 7919) % 251))],
      ['NULs', Buffer.alloc(9000)],
    ]
    for (const [name, content] of files) {
      writeFileSync(folder.path(name), content)
      await expectRefused(folder.path(name), /it is not a SQLite database, or an encrypted one/)
      expect(readFileSync(folder.path(name)).equals(content)).toBe(true)
    }
    expect(readdirSync(folder.base).toSorted()).toEqual(files.map(([name]) => name).toSorted())
  })

  it('of a file without content is a new database', async () => {
    writeFileSync(folder.database, '')
    const store = folder.open()
    expect(await store.listSessions()).toEqual([])
    expect(await store.saveSession({ sessionId: 's' })).toBe(1)
  })

  it('of a folder, or in none, is refused with what to do, and nothing is made', async () => {
    mkdirSync(folder.path('folder'))
    await expectRefused(folder.path('folder'), /folder" is no file/)
    await expectRefused(folder.path('none', 'sessions.db'), /There is no folder ".*none"; make it first/)
    writeFileSync(folder.path('file'), '')
    await expectRefused(folder.path('file', 'sessions.db'), /folder|cannot be opened/)
    expect(readdirSync(folder.base).toSorted()).toEqual(['file', 'folder'])
  })

  it('of a FIFO or a device is refused, and nothing waits for it', async () => {
    execFileSync('mkfifo', [folder.path('fifo')])
    await expectRefused(folder.path('fifo'), /fifo" is no file/)
    await expectRefused('/dev/null', /"\/dev\/null" is no file/)
  })

  it.skipIf(!isRoot)('of a FIFO that may only be read likewise (needs root, to become somebody else)', async () => {
    execFileSync('mkfifo', ['-m', '444', folder.path('fifo')])
    chmodSync(folder.base, 0o755)
    const theirs = { path: folder.path('fifo'), uid: 65_534 }
    const child = folder.run(`say(await store.loadSession('s').catch(codeOf))`, theirs)
    expect([await child.rest(), child.errors]).toEqual([['STORE_UNAVAILABLE '], ''])
  })

  it('of a link is that of the file, and of a dangling one makes the file that it names', async () => {
    mkdirSync(folder.path('elsewhere'))
    symlinkSync(folder.path('elsewhere', 'real.db'), folder.path('link.db'))
    await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), folder.path('link.db'))
    expect(readdirSync(folder.path('elsewhere'))).toEqual(['real.db'])
    expect(statSync(folder.path('elsewhere', 'real.db')).mode & 0o777).toBe(0o600)
    await folder.once(store => store.changeSession('s', append('a')), folder.path('elsewhere', 'real.db'))
    expect(turnIdsOf(await folder.open({}, folder.path('link.db')).loadSession('s'))).toEqual(['a'])
  })

  it.each([
    'file:x.db',
    'FILE:x.db?mode=ro',
    'file:///tmp/x.db',
    'sqlite:x.db',
    'sqlite://x.db',
    'https://example.org/x.db',
    'x.db?mode=memory',
    './x.db?cache=shared&mode=ro',
    'data/x.db?immutable=1',
    ':memory:?cache=shared',
    ':MEMORY:',
    '::memory::',
  ])('that looks like a URI is refused, and nothing is made: %s', async path => {
    const refused = { code: 'INVALID_ARGUMENT', message: containing('path of a file') }
    expect(() => folder.open({}, path)).toThrow(expect.objectContaining(refused))
    expect(await failureOf(folder.open().backup(path))).toMatchObject(refused)
    expect(existsSync(path)).toBe(false)
  })

  it.each(['x?.db', 'what?mode', './a=b?c=d.db', 'profile:x.db', 'C:x.db'])('that is relative may have such characters: %s', path => {
    expect(folder.open({}, path)).toBeDefined()
  })

  it.each(['', '\0', 'a\0b', 'blank ', 'line\n', 'tab\t'])(
    'that the driver would take for another is refused: %j',
    path => {
      expect(() => folder.open({}, path)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    },
  )

  it.each([' leading', 'file:x?mode=memory', 'ü 😀', '%41', "quote'd", 'a;b', '-x', 'x?cache=shared', '#'])(
    'is the name of a file and nothing else: %s',
    async name => {
      const path = folder.path(name)
      await folder.once(store => store.saveSession({ sessionId: 's' }), path)
      expect(readdirSync(folder.base)).toEqual([name])
      expect(await folder.once(store => store.listSessions(), path)).toEqual(['s'])
    },
  )
})

describe.skipIf(!mayMount)(
  `what may not be written${mayMount ? '' : ' (needs root, to mount a disk of its own)'}`,
  () => {
    const path = (): string => folder.path('disk', 'sessions.db')
    const readOnly = { code: 'STORE_UNAVAILABLE', outcome: 'not-stored', message: matching(/read-only|permissions/) }

    it('a disk that is read-only: it is told, and the file is left alone', async () => {
      await withSmallDisk(folder.path('disk'), 2048, async () => {
        await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), path())
        const before = readFileSync(path())
        execFileSync('mount', ['-o', 'remount,ro', folder.path('disk')])
        const store = folder.open({}, path())
        // Even to read, SQLite needs a file beside one that is in WAL.
        expect(await failureOf(store.loadSession('s'))).toMatchObject({
          code: 'STORE_UNAVAILABLE',
          message: readOnly.message,
        })
        expect(await failureOf(store.changeSession('s', append('a')))).toMatchObject(readOnly)
        expect(await failureOf(store.deleteSession('s'))).toMatchObject(readOnly)
        expect(
          await failureOf(folder.open({}, folder.path('disk', 'new.db')).saveSession({ sessionId: 's' })),
        ).toMatchObject(readOnly)
        expect(readFileSync(path()).equals(before)).toBe(true)
        expect(readdirSync(folder.path('disk'))).toEqual(['sessions.db'])
        execFileSync('mount', ['-o', 'remount,rw', folder.path('disk')])
        expect((await store.changeSession('s', append('a'))).turnCount).toBe(1)
      })
    })

    it.each([
      ['a file of mode 400', 'chmod', ['400', 'sessions.db']],
      ['a folder of mode 500', 'chmod', ['500', '.']],
      ['a file of mode 000', 'chmod', ['000', 'sessions.db']],
      ['a file of somebody else', 'chown', ['root', 'sessions.db']],
    ])('%s, for who is not root: it is read or told, and a write is refused', async (_name, program, args) => {
      const base = folder.path('theirs')
      mkdirSync(base)
      const path = `${base}/sessions.db`
      await folder.once(store => store.saveSession({ sessionId: 's', createdAt: at }), path)
      execFileSync('chmod', ['755', folder.base])
      execFileSync('chown', ['-R', '65534:65534', base])
      execFileSync(program, args, { cwd: base })
      const before = readFileSync(path)
      const child = folder.run(
        `say(await store.loadSession('s').then(session => session.sessionId, codeOf))
      say(await store.querySessions().then(page => page.sessions.length, codeOf))
      say(await store.changeSession('s', append('a')).then(() => 'stored', codeOf))
      say(await store.saveSession({ sessionId: 'new' }).then(() => 'stored', codeOf))
      await store.close()`,
        { path, uid: 65_534 },
      )
      const [loaded, listed, ...written] = await child.rest()
      expect(child.errors).toBe('')
      expect(['s', 'STORE_UNAVAILABLE ']).toContain(loaded)
      expect(listed).toBe(loaded === 's' ? '1' : loaded)
      expect(written).toEqual(['STORE_UNAVAILABLE not-stored', 'STORE_UNAVAILABLE not-stored'])
      expect(readFileSync(path).equals(before)).toBe(true)
      expect(await folder.once(store => store.listSessions(), path)).toEqual(['s'])
    })
  },
)
