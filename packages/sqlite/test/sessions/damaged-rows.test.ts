import { readFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import type { SqliteSessionStore } from '@turnstore/sqlite'
import type Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { containing, matching } from '../../../../scripts/testing/matchers.ts'
import { append, at, failureOf, turnIdsOf } from '../../../../scripts/testing/sessions.ts'
import { Folder } from '../folder.ts'

const folder = new Folder()
const canary = 'canary-5150'
const problem = (message: RegExp | string): unknown => ({ sessionId: 's', message: matching(message) })

describe('damaged rows', () => {
  const call = { callId: 'c0', toolName: 'f', result: canary }
  const item = { itemId: 'i', format: 'f', value: canary }
  // The turn t2 is opened.
  const turns = ['t0', 't1', 't2', 't3'].map(turnId => ({
    turnId,
    prompt: canary,
    ...(turnId === 't2' ? { status: 'running', toolCalls: [call, { ...call, callId: 'c1' }], items: [item] } : {}),
  }))
  const keyed = (store: SqliteSessionStore): Promise<unknown> =>
    store.changeSession('s', { agentId: 'a' }, { idempotencyKey: 'key' })

  async function store(): Promise<SqliteSessionStore> {
    // Many sessions, none of which has to survive a power cut.
    const store = folder.open({ durability: 'process-crash' })
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
    await keyed(store)
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
    'put parts again': (store: SqliteSessionStore) =>
      store.changeSession('s', {
        updateTurns: [{ turnId: 't2', putToolCalls: [call], putItems: [item] }],
        updatedAt: at,
      }),
    'set the head': (store: SqliteSessionStore) =>
      store.changeSession('s', { updateTurns: [{ turnId: 't2', set: { error: null } }], updatedAt: at }),
    'the tool calls': (store: SqliteSessionStore) => store.readParts('s', 't2', { list: 'toolCalls' }),
    'the last item': (store: SqliteSessionStore) => store.readParts('s', 't2', { list: 'items', last: 1 }),
    heads: (store: SqliteSessionStore) => store.readTurns('s', { from: 2, limit: 1 }, { parts: 'none' }),
    'set metadata': (store: SqliteSessionStore) => store.changeSession('s', { setMetadata: { k: 1 }, updatedAt: at }),
    'transition again': (store: SqliteSessionStore) =>
      store.changeSession('s', {
        appendAgentTransitions: [{ toAgent: 'x', transitionId: 'x', turnId: 't1', reason: canary }],
        updatedAt: at,
      }),
  }
  type Call = keyof typeof calls
  const everyCall = Object.keys(calls).filter((name): name is Call => name in calls)
  const writes: readonly Call[] = [
    'append',
    'append again',
    'update a turn',
    'put parts again',
    'set the head',
    'set metadata',
    'transition again',
  ]
  const turn1: readonly Call[] = ['load', 'all turns', 'append again', 'update a turn']
  const turn2: readonly Call[] = [
    'load',
    'all turns',
    'put parts again',
    'set the head',
    'the tool calls',
    'the last item',
    'heads',
  ]
  const counted: readonly Call[] = [
    'load',
    'all turns',
    'the last turn',
    'the tool calls',
    'the last item',
    'heads',
    ...writes,
  ]
  const meta: readonly Call[] = ['load', 'summary', 'set metadata']

  const place = (seq: number): string => `session = 1 AND is_head = 0 AND seq = ${seq}`
  const head = 'session = 1 AND is_head = 1'

  // What is damaged, the statement that damages it, the calls that encounter it, and the place that they name.
  const damages: [name: string, sql: string, met: readonly Call[], place: RegExp][] = [
    [
      'a turn that is not JSON',
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
      'a turn with another position',
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
    [
      'a place that leads to another turn',
      `UPDATE turnstore_places SET turn = turn + 1 WHERE ${place(1)}`,
      turn1,
      /turns are missing/,
    ],
    [
      'a place that leads nowhere',
      `UPDATE turnstore_places SET turn = NULL WHERE ${place(1)}`,
      turn1,
      /turns are missing/,
    ],
    [
      'a place that is missing',
      `DELETE FROM turnstore_places WHERE ${place(1)}`,
      ['load', 'all turns'],
      /turns are missing/,
    ],
    ['a turn in another place', `UPDATE turnstore_places SET seq = 9 WHERE ${place(1)}`, counted, /turns/],
    [
      'a last place that is missing',
      `DELETE FROM turnstore_places WHERE ${place(3)}`,
      [...counted, 'summary'],
      /turns/,
    ],
    ['too few turns counted', `UPDATE turnstore_places SET turn_count = 3 WHERE ${head}`, counted, /turns/],
    [
      'too many turns counted',
      `UPDATE turnstore_places SET turn_count = 5 WHERE ${head}`,
      [...counted, 'summary'],
      /turns/,
    ],
    ['no turns counted', `UPDATE turnstore_places SET turn_count = 0 WHERE ${head}`, counted, /turns/],
    ['a count below zero', `UPDATE turnstore_places SET turn_count = -1 WHERE ${head}`, everyCall, /turn_count/],
    ['no count', `UPDATE turnstore_places SET turn_count = NULL WHERE ${head}`, everyCall, /turn_count/],
    ['a revision below zero', `UPDATE turnstore_places SET revision = -1 WHERE ${head}`, everyCall, /revision/],
    ['no head', `DELETE FROM turnstore_places WHERE ${head}`, everyCall, /updated_at/],
    ['a head in the wrong place', `UPDATE turnstore_places SET seq = 1 WHERE ${head}`, everyCall, /updated_at/],
    [
      'an invalid agent',
      `UPDATE turnstore_sessions SET agent_id = '"${canary}' WHERE session_id = 's'`,
      everyCall,
      /agent_id/,
    ],
    ['an invalid time', `UPDATE turnstore_places SET updated_at = '"${canary}' WHERE ${head}`, everyCall, /updated_at/],
    [
      'metadata that is not JSON',
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
      'members of a newer writer that are not an object',
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
      'a transition that is not JSON',
      `UPDATE turnstore_transitions SET body = '${canary}' WHERE transition_id = 'x'`,
      ['load', 'transition again'],
      /an agent transition/,
    ],
    [
      'a transition without an agent',
      `UPDATE turnstore_transitions SET body = '{"reason":"${canary}"}' WHERE transition_id = 'x'`,
      ['load', 'transition again'],
      /an agent transition/,
    ],
    [
      'a part that is missing',
      `DELETE FROM turnstore_parts WHERE part_id = 'c1'`,
      ['load', 'all turns', 'the tool calls'],
      /parts of turn 2 are missing/,
    ],
    [
      'a part of another turn',
      `UPDATE turnstore_parts SET turn = turn + 1 WHERE part_id = 'c1'`,
      ['load', 'all turns', 'the tool calls'],
      /parts of turn 2 are missing/,
    ],
    [
      'a part of another session',
      `UPDATE turnstore_parts SET session = 2 WHERE part_id = 'c1'`,
      ['load', 'all turns', 'the tool calls'],
      /parts of turn 2 are missing/,
    ],
    [
      'a part in another place',
      `UPDATE turnstore_parts SET list = 1, place = 7 WHERE part_id = 'c1'`,
      ['load', 'all turns', 'the tool calls'],
      /turn 2/,
    ],
    [
      'a tool call that is not JSON',
      `UPDATE turnstore_parts SET body = '{"result":"${canary}' WHERE part_id = 'c0'`,
      ['load', 'all turns', 'put parts again', 'the tool calls'],
      /a tool call of turn 2/,
    ],
    [
      'an item without a format',
      `UPDATE turnstore_parts SET body = '{"item_id":"i","value":"${canary}"}' WHERE part_id = 'i'`,
      ['load', 'all turns', 'put parts again', 'the last item'],
      /an item of turn 2/,
    ],
    [
      'a part with the id of another one',
      `UPDATE turnstore_parts SET part_id = 'c1' WHERE part_id = 'c0'`,
      ['load', 'all turns', 'the tool calls'],
      /a tool call of turn 2 is found by the id of another one/,
    ],
    [
      'a body in the wrong row',
      `UPDATE turnstore_parts SET body = (SELECT body FROM turnstore_parts WHERE part_id = 'c1') WHERE part_id = 'c0'`,
      ['load', 'all turns', 'put parts again', 'the tool calls'],
      /a tool call of turn 2 is found by the id of another one/,
    ],
    [
      'too few parts counted',
      `UPDATE turnstore_places SET tool_calls = 1 WHERE ${place(2)}`,
      ['load', 'all turns'],
      /parts of turn 2/,
    ],
    [
      'too many parts counted',
      `UPDATE turnstore_places SET items = 2 WHERE ${place(2)}`,
      ['load', 'all turns', 'the last item'],
      /parts of turn 2 are missing/,
    ],
    ['no number of items', `UPDATE turnstore_places SET items = NULL WHERE ${place(2)}`, turn2, /items/],
    [
      'the head of an opened turn that is not JSON',
      `UPDATE turnstore_turns SET body = '{"prompt":"${canary}' WHERE session = 1 AND seq = 2`,
      ['load', 'all turns', 'set the head', 'heads'],
      /turn 2/,
    ],
    [
      'the head of an opened turn with parts',
      `UPDATE turnstore_turns SET body = json_set(body, '$.tool_calls', json('[{"call_id":"c","tool_name":"f"}]')) WHERE session = 1 AND seq = 2`,
      ['load', 'all turns', 'set the head', 'heads'],
      /turn 2 is not what was stored there/,
    ],
    [
      'an opened turn marked as whole',
      `UPDATE turnstore_turns SET opened = 0 WHERE session = 1 AND seq = 2`,
      turn2,
      /turns are missing/,
    ],
    [
      'an opened turn in the place of a whole one',
      `UPDATE turnstore_places SET tool_calls = NULL WHERE ${place(2)}`,
      turn2,
      /turns are missing/,
    ],
    [
      'a whole turn in the place of an opened one',
      `UPDATE turnstore_places SET tool_calls = 0, items = 0, bytes = 0 WHERE ${place(1)}`,
      turn1,
      /turns are missing/,
    ],
  ]

  // What a session remembers by keys is read by a repeated change, and before it is deleted.
  const keys: [name: string, sql: string, found: RegExp][] = [
    ['not JSON', `UPDATE turnstore_keys SET body = '{"${canary}'`, /a remembered change is not JSON/],
    ['no remembered change', `UPDATE turnstore_keys SET body = '{"key":"${canary}"}'`, /a remembered change/],
    [
      'of another key',
      `UPDATE turnstore_keys SET body = json_set(body, '$.key', 'other')`,
      /a remembered change is found by the key of another one/,
    ],
  ]
  it.each(keys)(
    'of a key are met by its change, and keep the session from being deleted (%s)',
    async (_, sql, found) => {
      const damaged = await store()
      const database = folder.handle()
      expect(database.prepare(sql).run().changes).toBe(1)
      const before = contentOf(database)
      for (const call of [keyed, ...deletions.map(([, deletion]) => deletion)]) {
        const error = await failureOf(call(damaged))
        expect(error).toMatchObject({ code: 'CORRUPT_SESSION', sessionId: 's', outcome: 'not-stored' })
        expect(error.message).toMatch(found)
        expect(inspect(error, { depth: 10 })).not.toContain(canary)
      }
      expect(contentOf(database)).toEqual(before)
      expect((await damaged.checkIntegrity()).problems).toEqual([problem(found)])
      await damaged.changeSession('s', append('new'))
      expect(turnIdsOf(await damaged.loadSession('s'))).toEqual(['t0', 't1', 't2', 't3', 'new'])
      expect(await damaged.deleteSession('s', { evenIfDamaged: true })).toBe(true)
      expect(await damaged.checkIntegrity()).toEqual({ ok: true, problems: [] })
    },
  )

  it('of a key that are missing keep the session from being deleted', async () => {
    const damaged = await store()
    for (const idempotencyKey of ['second', 'third'])
      await damaged.changeSession('s', { agentId: 'a' }, { idempotencyKey })
    expect(folder.handle().prepare(`DELETE FROM turnstore_keys WHERE key = 'second'`).run().changes).toBe(1)
    expect(await failureOf(damaged.deleteSession('s'))).toMatchObject({
      code: 'CORRUPT_SESSION',
      message: containing('remembered changes are missing'),
    })
    await damaged.deleteSession('s', { evenIfDamaged: true })
    expect(await damaged.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  const contentOf = (database: Database.Database): unknown[] =>
    ['sessions', 'details', 'places', 'turn_ids', 'turns', 'parts', 'transitions', 'keys'].map(table =>
      database.prepare(`SELECT * FROM turnstore_${table} ORDER BY 1`).all(),
    )

  it.each(damages)(
    'are reported with session and place by each call that encounters them, and not made worse (%s)',
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

      // Other sessions still work, in the same commit.
      const [fine, failing] = await Promise.allSettled([
        damaged.changeSession('well', append('t')),
        calls[met.includes('append') ? 'append' : 'load'](damaged),
      ])
      expect([fine.status, failing.status]).toEqual(['fulfilled', 'rejected'])
      expect(turnIdsOf(await damaged.loadSession('well'))).toEqual(['t'])
      // Calls that do not encounter the damage work, and the damage is still reported.
      for (const name of everyCall.filter(each => !met.includes(each))) await calls[name](damaged)
      expect(await failureOf(damaged.loadSession('s'))).toMatchObject({
        code: 'CORRUPT_SESSION',
        message: matching(place),
      })
    },
  )

  const hidden: [name: string, sql: string, found: RegExp][] = [
    [
      'another time of creation in the listing',
      `UPDATE turnstore_sessions SET created_key = '' WHERE session_id = 's'`,
      /another time than it was created/,
    ],
    [
      'another time of change in the listing',
      `UPDATE turnstore_sessions SET updated_key = 'x' WHERE session_id = 's'`,
      /another time than it was updated/,
    ],
    ['a wrong mark of the end', `UPDATE turnstore_sessions SET ended = 1 WHERE session_id = 's'`, /ended/],
    [
      'a turn with another id',
      `UPDATE turnstore_places SET turn_id = 'other' WHERE ${place(1)}`,
      /turn 1 is found by the id of another one/,
    ],
    [
      'another size of an opened turn',
      `UPDATE turnstore_places SET bytes = bytes + 1 WHERE ${place(2)}`,
      /Turn 2 has another size/,
    ],
    [
      'another time of change in the head',
      `UPDATE turnstore_places SET updated_key = 'x' WHERE ${head}`,
      /another time than it was updated/,
    ],
  ]
  it.each(hidden)(
    'that no other call can encounter are found by checkIntegrity, which names the session (%s)',
    async (_name, sql, found) => {
      const damaged = await store()
      folder.handle().exec(sql)
      expect((await damaged.checkIntegrity()).problems).toEqual([problem(found)])
    },
  )

  it('are not returned as another session if a damaged index leads to them', async () => {
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

  it('are not returned as the turn of another id', async () => {
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
  const deletions: [name: string, call: (store: SqliteSessionStore) => Promise<unknown>][] = [
    ['deleted', store => store.deleteSession('s')],
    ['saved over', store => store.saveSession({ sessionId: 's', workspaceId: 'w', turns: [{ turnId: 'only' }] })],
    ['rewound', store => store.changeSession('s', { keepTurns: 2, updatedAt: at })],
  ]
  it.each(
    deletions.flatMap(([kind, call]) => [...damages, ...astray].map(([name, sql]) => [kind, name, call, sql] as const)),
  )('keep their session from being %s, and nothing of it is lost (%s)', async (_kind, _name, call, sql) => {
    const damaged = await store()
    const database = folder.handle()
    expect(database.prepare(sql).run().changes).toBe(1)
    const before = contentOf(database)
    expect(await failureOf(call(damaged))).toMatchObject({
      code: 'CORRUPT_SESSION',
      sessionId: 's',
      outcome: 'not-stored',
    })
    expect(contentOf(database)).toEqual(before)
  })

  it.each([...damages, ...astray].map(([name, sql]) => [name, sql] as const))(
    'are deleted with their session with evenIfDamaged, and nothing else is (%s)',
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

  it('with an unreadable workspace are deleted only by a call without one', async () => {
    const damaged = await store()
    const database = folder.handle()
    database.unsafeMode(true)
    database.pragma('writable_schema = ON')
    // No longer STRICT, so that a text column takes a blob.
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

  it('of a long session keep it from being deleted or rewound, without blocking the process', async () => {
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
      expect(await rewinding).toMatchObject({
        code: 'CORRUPT_SESSION',
        outcome: 'not-stored',
        message: matching(/turn 9000/),
      })
      await after
    }
    expect((await failureOf(long.deleteSession('s'))).code).toBe('CORRUPT_SESSION')
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(3)
    expect(await long.deleteSession('s', { evenIfDamaged: true })).toBe(true)
    expect(await long.checkIntegrity()).toEqual({ ok: true, problems: [] })
  })

  it.each([
    [
      'a turn',
      `INSERT INTO turnstore_turns (session, seq, body) VALUES (1, 1, '{}')`,
      '1 turns have no place in their session',
    ],
    [
      'a part',
      `INSERT INTO turnstore_parts (session, turn, list, place, part_id, body)
       SELECT 1, turn, 0, 0, 'c', '{}' FROM turnstore_places WHERE ${place(1)}`,
      '1 parts belong to no opened turn',
    ],
    ['an id', `INSERT INTO turnstore_turn_ids VALUES (1, 't1', 2)`, '1 turn ids belong to missing turns'],
    [
      'a head',
      `INSERT INTO turnstore_places (session, is_head, seq) VALUES (1, 1, 1)`,
      '1 heads of sessions are in the wrong place',
    ],
  ])('that nothing refers to are found by checkIntegrity (%s)', async (_name, sql, message) => {
    const damaged = await store()
    folder.handle().exec(sql)
    expect((await damaged.checkIntegrity()).problems).toEqual([{ sessionId: null, message }])
  })

  it.each(['details', 'places', 'turn_ids', 'turns', 'parts', 'transitions', 'keys'])(
    'that belong to no session are found by checkIntegrity (%s)',
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
    ['an invalid version', `UPDATE turnstore_settings SET value = 0`],
    ['a table with another column', `ALTER TABLE turnstore_turns RENAME COLUMN body TO text`],
    ['no tables', `DROP TABLE turnstore_turns`],
  ])('of the schema are reported, and nothing is created in their place (%s)', async (_name, sql) => {
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
