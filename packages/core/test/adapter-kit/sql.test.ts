import { describe, expect, it } from 'vitest'
import { applyTurnPlan, type ChangeCondition, planChange, type TurnPlan, viewOf } from '../../src/adapter.ts'
import {
  Bindings,
  type Dialect,
  exact,
  filterTerms,
  fromExact,
  type ListingColumns,
  orderOf,
  PlanWriter,
  rangeTerms,
  scopeTerms,
  sessionColumns,
  summaryOfRow,
  template,
  upToTerm,
  where,
} from '../../src/adapter-sql.ts'
import { readChange } from '../../src/changes/change.ts'
import { applyChange, type SessionRecord } from '../../src/index.ts'
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
    expect(summaryOfRow(row)).toEqual({
      ...members,
      agentId: 'lone \ud800',
      revision: 7,
      turnCount: turns.length,
      agentTransitionCount: agentTransitions.length,
    })
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
    ['turn_count', '3'],
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
      insertTurn: ['insert :seq :turn_id'],
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
      ['insert', 3, '4'],
      ['insert', 4, '"\\"5"'],
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
      ['insert', 1, '2'],
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
    expect(writer.content(7, session, ({ turnId }) => `body of ${turnId}`).map(({ values }) => values)).toEqual([
      [0, '1'],
      [1, '2'],
      [2, '3'],
    ])
  })
})
