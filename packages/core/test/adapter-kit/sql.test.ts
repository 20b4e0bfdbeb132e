import { describe, expect, it } from 'vitest'
import { containing } from '../../../../scripts/testing/matchers.ts'
import {
  applyTurnPlan,
  type ChangeCondition,
  encodeTurn,
  encodeTurnHead,
  partBytes,
  planChange,
  type SessionView,
  turnBytes,
  type TurnPlan,
  type TurnView,
  viewOf,
} from '../../src/adapter.ts'
import {
  Bindings,
  type Dialect,
  exact,
  filterTerms,
  fromExact,
  listCodes,
  type ListingColumns,
  OpenTurnView,
  orderOf,
  PlanWriter,
  rangeTerms,
  readAllTurns,
  readHead,
  readTurnHeads,
  readTurnRows,
  type Row,
  type TurnRows,
  scopeTerms,
  sessionColumns,
  type Statement,
  summaryOfRow,
  template,
  upToTerm,
  where,
} from '../../src/adapter-sql.ts'
import { readChange } from '../../src/changes/change.ts'
import {
  applyChange,
  type SessionRecord,
  type ToolCallRecord,
  type TurnInput,
  type TurnRecord,
  type TurnUpdate,
} from '../../src/index.ts'
import { readQuery } from '../../src/queries/query.ts'
import { defaultLimits } from '../../src/records/limits.ts'

const at = '2026-01-31T12:00:00Z'
const key = '2026-01-31T12:00:00.000000Z'
const question: Dialect = { placeholder: () => '?' }
const dollar: Dialect = { placeholder: position => `$${position}` }

const session: SessionRecord = applyChange(
  {
    sessionId: 's',
    workspaceId: 'w',
    parentSessionId: null,
    agentId: 'a',
    createdAt: at,
    updatedAt: at,
    turns: [],
    agentTransitions: [],
    metadata: { ended: true },
    revision: 3,
  },
  { appendTurns: [{ turnId: '1' }, { turnId: '2' }, { turnId: '3' }], updatedAt: at },
).session

describe('a template', () => {
  it.each([
    ['SELECT ? WHERE a >= ? AND b = ?', question],
    ['SELECT $1 WHERE a >= $2 AND b = $3', dollar],
  ])('puts values where they are named: %s', (text, dialect) => {
    const make = template('SELECT :seq WHERE a >= :turn_id AND b = :seq', dialect)
    expect(make({ turn_id: 't', seq: 0 })).toEqual({ text, values: [0, 't', 0] })
  })

  it('leaves casts alone, and refuses a missing value', () => {
    const make = template('SELECT :body::jsonb', dollar)
    expect(make({ body: null })).toEqual({ text: 'SELECT $1::jsonb', values: [null] })
    expect(() => make({})).toThrow('No value for :body')
  })
})

describe('the terms of a listing', () => {
  const columns: ListingColumns = {
    sessionId: 'id',
    workspaceId: 'workspace',
    parentSessionId: 'parent',
    agentId: 'agent',
    ended: 'ended',
    createdKey: 'created',
    updatedKey: 'updated',
  }
  const after = { time: key, sessionId: 'x' }

  it('bind all values, in the order of the text', () => {
    const query = {
      ...readQuery({
        workspaceId: 'w',
        parentSessionId: 'p',
        agentId: '"a',
        ended: false,
        createdBefore: at,
        updatedAfter: at,
      }),
      after,
    }
    const bindings = new Bindings(dollar)
    const terms = [...rangeTerms(query, columns, after, bindings), upToTerm(query, columns, after, bindings)]
    terms.push(...filterTerms(query, columns, bindings))
    expect(where(terms)).toBe(
      'WHERE workspace = $1 AND parent = $2 AND updated > $3 AND (updated, id) < ($4, $5) AND (updated, id) >= ($6, $7) AND agent = $8 AND ended = $9 AND created > $10 AND created < $11',
    )
    expect(bindings.values).toEqual(['w', 'p', key, key, 'x', key, 'x', '"\\"a"', 0, '', key])
    expect(orderOf(query, columns)).toBe('updated DESC, id DESC')
  })

  it('tell null from any, and both from a value', () => {
    const bindings = new Bindings(question)
    const query = readQuery({
      workspaceId: null,
      parentSessionId: null,
      agentId: null,
      orderBy: 'createdAt',
      order: 'asc',
    })
    const terms = [...rangeTerms(query, columns, after, bindings), ...filterTerms(query, columns, bindings)]
    expect(terms).toEqual(['workspace IS NULL', '(created, id) > (?, ?)', 'agent IS NULL', 'parent IS NULL'])
    const any = readQuery({})
    expect([...rangeTerms(any, columns, undefined, bindings), ...filterTerms(any, columns, bindings)]).toEqual([])
    expect([scopeTerms(undefined, columns, bindings), where([])]).toEqual([[], ''])
  })
})

describe('columns', () => {
  it('hold a session as its summary reads it', () => {
    const { turns, agentTransitions, ...members } = session
    const row = sessionColumns({ ...session, agentId: 'lone \ud800' }, 7)
    const last = turns.at(-1)
    const lastTurn = last && {
      turnId: last.turnId,
      status: last.status,
      prompt: last.prompt,
      startedAt: last.startedAt,
    }
    const lastColumns = {
      last_turn_facts: JSON.stringify([last?.turnId, last?.status, last?.startedAt]),
      last_turn_prompt: JSON.stringify(last?.prompt),
    }
    expect(summaryOfRow({ ...row, ...lastColumns })).toEqual({
      ...members,
      agentId: 'lone \ud800',
      revision: 7,
      turnCount: turns.length,
      agentTransitionCount: agentTransitions.length,
      lastTurn: lastTurn ?? null,
    })
    const cut = JSON.stringify('\ud83d\ude00\n'.repeat(500)).slice(0, 1207)
    const shown = summaryOfRow({ ...row, ...lastColumns, turn_count: 1, last_turn_prompt: cut }).lastTurn?.prompt
    expect(shown).toBe('\ud83d\ude00\n'.repeat(66) + '\ud83d\ude00')
    expect(row).toMatchObject({ ended: 1, created_key: key, agent_id: '"lone \\ud800"' })
  })

  it.each(['', 'a', '"', '"a"', '\0', '\ud800', '\udc00\ud800', '😀'])(
    'hold the text %j exactly, in one form',
    value => {
      expect(fromExact({ column: exact(value) }, 'column')).toBe(value)
      expect(exact(value)).toMatch(/^[^\0\p{Surrogate}]*$/u)
    },
  )

  it.each([
    ['revision', -1],
    ['turn_count', '-3'],
    ['turn_count', '9007199254740993'],
    ['agent_id', '"'],
    ['updated_at', null],
    ['metadata', '[]'],
  ])('that hold something else in %s are damage', (column, value) => {
    expect(() => summaryOfRow({ ...sessionColumns(session, 1), [column]: value })).toThrow(
      expect.objectContaining({ code: 'CORRUPT_SESSION', sessionId: 's' }),
    )
  })
})

describe('a plan as statements', () => {
  const writer = new PlanWriter(
    {
      clear: [{ counted: 'clear :session' }],
      rewind: ['before :keep_turns of :turns_before', { counted: 'rewind :session :keep_turns' }],
      replaceTurn: [{ counted: 'replace :seq :turn_id :body' }],
      insertTurn: ['insert :seq :body'],
      insertTransition: ['transition :transition_id :turn_id'],
      setMetadata: ['metadata :metadata'],
      setSession: ['session :agent_id :ended'],
      setHead: [{ counted: 'head :updated_at :updated_key :revision :turn_count :transitions_added' }],
      remember: ['remember :key :body'],
    },
    question,
  )
  const planned = { key: 7, turnCount: 3, agentId: 'a', ended: 1 }
  const updated = (update: TurnPlan) => {
    const turn = session.turns[update.index]
    if (turn === undefined) throw new Error('There is no such turn')
    return applyTurnPlan(turn, update)
  }
  const statementsOf = (change: Parameters<typeof readChange>[0], idempotency?: ChangeCondition['idempotency']) =>
    writer
      .planned(planChange(viewOf(session), readChange(change, defaultLimits), { idempotency }), planned, updated)
      .map(({ text, values, changes }) => [
        text.split(' ')[0],
        ...values,
        ...(changes === undefined ? [] : [{ changes }]),
      ])

  it('that appends is what it appends, and the head', () => {
    const change = {
      appendTurns: [{ turnId: '4' }, { turnId: '"5' }],
      appendAgentTransitions: [{ toAgent: 'b', transitionId: 't', turnId: '4' }],
      updatedAt: at,
    }
    expect(statementsOf(change)).toEqual([
      ['insert', 3, expect.stringContaining('"turn_id":"4"')],
      ['insert', 4, expect.stringContaining('"turn_id":"\\"5"')],
      ['transition', 't', '4'],
      ['head', at, key, 5, 5, 1, { changes: 1 }],
    ])
  })

  it('that rewinds drops first, and counts what it drops', () => {
    const change = {
      keepTurns: 1,
      appendTurns: [{ turnId: '2' }],
      updateTurns: [{ turnId: '1', set: { status: 'error' } }],
      updatedAt: at,
    }
    expect(statementsOf(change)).toEqual([
      ['before', 1, 3],
      ['rewind', 7, 1, { changes: 2 }],
      ['replace', 0, '1', expect.stringContaining('"status":"error"'), { changes: 1 }],
      ['insert', 1, expect.stringContaining('"turn_id":"2"')],
      ['head', at, key, 5, 2, 0, { changes: 1 }],
    ])
  })

  it('that changes metadata or agent keeps the other', () => {
    expect(statementsOf({ setMetadata: { ended: false }, updatedAt: at })).toEqual([
      ['metadata', '{"ended":false}'],
      ['session', 'a', 0],
      ['head', at, key, 5, 3, 0, { changes: 1 }],
    ])
    expect(statementsOf({ agentId: null, updatedAt: at })).toEqual([
      ['session', null, 1],
      ['head', at, key, 5, 3, 0, { changes: 1 }],
    ])
  })

  it('remembers a change by its key, also one that changes nothing', () => {
    const idempotency = { key: 'k', digest: 'd' }
    const body = (revision: number) => JSON.stringify({ key: 'k', digest: 'd', revision, turn_count: 3 })
    expect(statementsOf({ agentId: 'a', updatedAt: at }, idempotency)).toEqual([['remember', 'k', body(4)]])
    expect(statementsOf({ agentId: 'b', updatedAt: at }, idempotency)).toEqual([
      ['remember', 'k', body(5)],
      ['session', 'b', 1],
      ['head', at, key, 5, 3, 0, { changes: 1 }],
    ])
    expect(statementsOf({ agentId: 'a', updatedAt: at })).toEqual([])
  })

  it('has a whole session as well', () => {
    expect(writer.cleared(7, 3)).toEqual([{ text: 'clear ?', values: [7], changes: 3 }])
    const rowsOf = ({ turnId }: TurnRecord): TurnRows => ({ body: `body of ${turnId}`, opened: null })
    expect(writer.content(7, session, rowsOf).map(({ values }) => values)).toEqual([
      [0, 'body of 1'],
      [1, 'body of 2'],
      [2, 'body of 3'],
    ])
  })
})

describe('a turn as rows', () => {
  const call = (id: string, members: Partial<ToolCallRecord> = {}): ToolCallRecord => ({
    callId: id,
    toolName: 'f',
    arguments: {},
    result: null,
    status: 'success',
    error: null,
    durationMs: null,
    sandboxContext: null,
    metadata: {},
    ...members,
  })
  const turnWith = (members: TurnInput): TurnRecord => {
    const [turn] = applyChange({ ...session, turns: [] }, { appendTurns: [{ turnId: 't', ...members }], updatedAt: at })
      .session.turns
    if (turn === undefined) throw new Error('There is no turn')
    return turn
  }
  const ofBytes = (bytes: number, status: string): TurnRecord => {
    const empty = turnWith({ status, prompt: '' })
    return turnWith({ status, prompt: 'é'.repeat((bytes - JSON.stringify(encodeTurn(empty)).length) / 2) })
  }
  const writer = new PlanWriter(
    {
      clear: ['clear :session'],
      rewind: ['rewind :session'],
      replaceTurn: ['replace :seq'],
      insertTurn: ['insert :seq :turn_id :opened :tool_calls :items'],
      insertTransition: ['transition :body'],
      setMetadata: ['metadata :metadata'],
      setSession: ['session :agent_id'],
      setHead: ['head :revision'],
      parts: {
        openTurn: [{ counted: 'open :seq :turn_id :tool_calls :items' }],
        setTurnHead: [{ counted: 'turn :seq :body' }],
        setParts: [{ counted: 'parts :seq :tool_calls :items :bytes' }],
        insertPart: [{ counted: 'add :seq :list :part_id :body' }],
        replacePart: [{ counted: 'change :seq :list :place :body' }],
        removePart: [{ counted: 'remove :seq :list :place' }],
      },
    },
    question,
  )
  const shown = (statements: readonly Statement[]): unknown[] =>
    statements.map(({ text, values }) => [text.split(' ')[0], ...values.map(value => partIdIn(value) ?? value)])
  const partIdIn = (value: unknown): unknown =>
    typeof value === 'string' ? /^\{"(?:call|item)_id":"(?<id>(?:\\.|[^"\\])*)"/.exec(value)?.groups?.id : null

  it.each([
    ['small', turnWith({ toolCalls: [call('a')] }), 0],
    ['running', turnWith({ status: 'running' }), 1],
    ['of 16 KiB', ofBytes(16 * 1024, 'success'), 0],
    ['larger', ofBytes(16 * 1024 + 2, 'success'), 1],
  ])('is whole or opened when it is appended: %s', (_name, turn, opened) => {
    const [insert] = writer.content(7, { turns: [turn], agentTransitions: [] })
    expect(insert?.values).toEqual([0, 't', opened, opened === 0 ? null : 0, opened === 0 ? null : 0])
  })

  it('has its parts after it, in their order', () => {
    const items = [{ itemId: 'c', format: 'f', value: 1 }]
    const turn = turnWith({ status: 'running', toolCalls: [call('b'), call('"')], items })
    expect(shown(writer.content(7, { turns: [turn], agentTransitions: [] }))).toEqual([
      ['insert', 0, 't', 1, 2, 1],
      ['add', 0, 0, 'b', 'b'],
      ['add', 0, 0, '"\\""', '\\"'],
      ['add', 0, 1, 'c', 'c'],
    ])
  })

  it.each([
    ['up to 8 KiB', 0, [['replace', 0]]],
    [
      'beyond',
      2,
      [
        ['open', 0, 't', 1, 0],
        ['add', 0, 0, 'a', 'a'],
      ],
    ],
  ])('stays whole with a step: %s', (_name, more, expected) => {
    const stored = turnWith({ status: 'success' })
    const base = JSON.stringify(encodeTurn({ ...stored, toolCalls: [call('a', { result: '' })] })).length
    const put = call('a', { result: 'é'.repeat((8 * 1024 - base + more) / 2) })
    const before = { ...session, turns: [stored] }
    const change = readChange({ updateTurns: [{ turnId: 't', putToolCalls: [put] }], updatedAt: at }, defaultLimits)
    const plan = planChange(viewOf(before), change, {})
    const statements = writer.planned(plan, { key: 7, turnCount: 1, agentId: 'a', ended: 0 }, update =>
      applyTurnPlan(stored, update),
    )
    expect(shown(statements)).toEqual([...expected, ['head', 5]])
  })

  // An opened turn in rows, at 3 of its session. The place 1 is a gap.
  const calls = [call('a', { arguments: { x: 1, y: 2 } }), call('b'), call('a', { status: 'running' })]
  const opened = turnWith({ status: 'running', toolCalls: calls, items: [{ itemId: 'i', format: 'f', value: 1 }] })
  const [head, ...bodies] = writer.content(7, { turns: [opened], agentTransitions: [] })
  const parts: Row[] = bodies.map(({ values: [, list, part_id, body] }, index) => ({
    seq: 3,
    list,
    part_id,
    body,
    place: list === 1 ? 0 : [0, 2, 5][index],
  }))
  const row = { seq: 3, turn_id: 't', body: bodyOf(opened), tool_calls: 3, items: 1, bytes: turnBytes(opened) }

  function bodyOf(turn: TurnRecord): string {
    const { toolCalls: _calls, items: _items, ...rest } = turn
    return JSON.stringify(encodeTurnHead(rest))
  }

  const viewWith = (asked: string[]): TurnView =>
    new OpenTurnView(row, {
      head: () => {
        asked.push('head')
        return readHead(row, 't')
      },
      partsWithId: (list, id) => {
        asked.push(`${list} ${id}`)
        return parts.filter(part => part.list === listCodes[list] && part.part_id === id)
      },
      countFrom: () => 1,
      whole: () => readAllTurns({ turns: [row], parts })[0] ?? opened,
    })

  it('is written part by part when it is opened, and asked only for what changes', () => {
    expect(head?.values).toEqual([0, 't', 1, 3, 1])
    const asked: string[] = []
    const update = {
      turnId: 't',
      removeToolCalls: ['b'],
      putToolCalls: [call('a', { result: 7 }), call('new')],
      putItems: [{ itemId: 'i', format: 'f', value: 1 }],
    }
    const view: SessionView = { ...viewOf(session), findTurn: () => viewWith(asked) }
    const planOf = (updateTurns: TurnUpdate[]) =>
      planChange(view, readChange({ updateTurns, updatedAt: at }, defaultLimits), {})
    const statementsFor = (updateTurns: TurnUpdate[]): unknown[] =>
      shown(writer.planned(planOf(updateTurns), { key: 7, turnCount: 4, agentId: 'a', ended: 0 }, () => null))
    const grown =
      jsonBytes(call('a', { result: 7 })) - jsonBytes(calls[2]) + jsonBytes(call('new')) - jsonBytes(call('b'))
    expect(statementsFor([update])).toEqual([
      ['remove', 3, 0, 2],
      ['change', 3, 0, 5, 'a'],
      ['add', 3, 0, 'new', 'new'],
      ['parts', 3, 3, 1, turnBytes(opened) + grown],
      ['head', 5],
    ])
    expect(asked).toEqual(['toolCalls b', 'toolCalls a', 'toolCalls new', 'items i'])
    const [set] = statementsFor([{ turnId: 't', set: { status: 'success' } }])
    expect(set).toEqual(['turn', 3, bodyOf({ ...opened, status: 'success' })])
    const same = { turnId: 't', putToolCalls: [call('b')], putItems: [{ itemId: 'i', format: 'f', value: 1 }] }
    expect(planOf([same]).changed).toBe(false)
    const other = { turnId: 't', putToolCalls: [call('b', { toolName: 'g' })] }
    expect(() => planOf([other])).toThrow(expect.objectContaining({ code: 'CALL_ID_CONFLICT' }))
  })

  const jsonBytes = (part: ToolCallRecord | undefined): number => (part === undefined ? 0 : partBytes(part))

  it('is read from its rows, in batches that may be empty', () => {
    const whole = turnWith({ turnId: 'w' })
    const wholeRow = { seq: 2, turn_id: 'w', body: JSON.stringify(encodeTurn(whole)), tool_calls: null, items: null }
    const rows = { turns: [wholeRow, row, { ...wholeRow, seq: 4 }], parts }
    expect([...readTurnRows(rows)]).toEqual([[whole], [opened], [whole]])
    expect(readTurnHeads([row, wholeRow])).toMatchObject([
      { turnId: 't', partCounts: { toolCalls: 3, items: 1 } },
      { turnId: 'w', partCounts: { toolCalls: 0, items: 0 } },
    ])
    const many = Array.from({ length: 150 }, () => parts[0] ?? {})
    const batches = [...readTurnRows({ turns: [{ ...row, tool_calls: 150, items: 0 }], parts: many })]
    expect(batches.map(turns => turns.length)).toEqual([0, 0, 1])
  })

  it.each([
    ['too few parts', { turns: [row], parts: parts.slice(1) }, 'parts of turn 3 are missing'],
    ['a part too many', { turns: [{ ...row, items: 0 }], parts }, 'parts of turn 3 are missing'],
    ['no count', { turns: [{ ...row, items: null }], parts }, 'no valid value in column items'],
    ['another id', { turns: [{ ...row, turn_id: 'x' }], parts }, 'turn 3 is found by the id of another one'],
    [
      'a part with another id',
      { turns: [row], parts: parts.map(part => ({ ...part, part_id: 'x' })) },
      'a tool call of turn 3 is found by the id of another one',
    ],
    [
      'a part that is not JSON',
      { turns: [row], parts: parts.map(part => ({ ...part, body: '{' })) },
      'a tool call of turn 3 is not JSON',
    ],
    [
      'parts in the head',
      { turns: [{ ...row, body: JSON.stringify(encodeTurn(opened)) }], parts },
      'turn 3 is not what was stored there',
    ],
  ])('that is damaged is reported with its place: %s', (_name, rows, message) => {
    expect(() => readAllTurns(rows)).toThrow(
      expect.objectContaining({ code: 'CORRUPT_SESSION', message: containing(message) }),
    )
  })
})
