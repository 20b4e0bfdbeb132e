import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyChange } from '../../src/changes/apply-change.ts'
import type { SessionChange } from '../../src/changes/change.ts'
import { createSession, createTurn } from '../../src/records/factories.ts'
import type { SessionInput, SessionRecord, TurnRecord } from '../../src/records/models.ts'

const T0 = '2026-01-31T12:00:00Z'
const T1 = '2026-01-31T12:00:01Z'

const session = (members: Omit<SessionInput, 'sessionId'> = {}): SessionRecord =>
  createSession({ sessionId: 's', createdAt: T0, updatedAt: T0, revision: 5, ...members })
const turn = (turnId: string, members: Partial<TurnRecord> = {}): TurnRecord =>
  createTurn({ turnId, startedAt: '', endedAt: null, ...members })
const apply = (
  before: SessionRecord,
  change: Omit<SessionChange, 'updatedAt'>,
  ifRevision?: number,
): ReturnType<typeof applyChange> =>
  applyChange(before, { updatedAt: T1, ...change }, ifRevision === undefined ? {} : { ifRevision })
const ids = (result: { session: SessionRecord }): string[] => result.session.turns.map(({ turnId }) => turnId)
const code = (expected: string, members: object = {}): unknown =>
  expect.objectContaining({ code: expected, ...members })

describe('applyChange', () => {
  it('increases the revision by one and keeps the later time', () => {
    const { session: after, changed } = apply(session(), { agentId: 'a' })
    expect([after.revision, after.updatedAt, after.agentId, changed]).toStrictEqual([6, T1, 'a', true])
  })

  it('keeps revision and updatedAt if nothing changes', () => {
    const before = session({ metadata: { a: { b: 1, c: 2 } }, turns: [turn('t')], agentId: 'a' })
    const nothing = {
      agentId: 'a',
      keepTurns: 7,
      appendTurns: [turn('t')],
      setMetadata: { a: { c: 2, b: 1 } },
      unsetMetadata: ['b'],
    }
    const result = apply(before, nothing)
    expect(result).toStrictEqual({ session: before, changed: false, deduplicated: ['t'] })
  })

  it('does not modify its arguments and shares nothing with them', () => {
    const before = session({ turns: [turn('t', { metadata: { a: [1] } })], metadata: { b: {} } })
    const text = JSON.stringify(before)
    const after = apply(before, {
      updateTurns: [{ turnId: 't', set: { status: 'x' } }],
      appendTurns: [turn('u')],
    }).session
    after.turns[0]?.auditEventIds.push('altered')
    Reflect.set(after.turns[0]?.metadata ?? {}, 'a', 'altered')
    after.metadata.b = 'altered'
    expect(JSON.stringify(before)).toBe(text)
  })

  it('applies in order: rewind, update, append, agent transitions, set, unset', () => {
    const before = session({ turns: [turn('a'), turn('b', { prompt: 'old' })], metadata: { x: 1 } })
    const result = apply(before, {
      keepTurns: 1,
      updateTurns: [{ turnId: 'a', set: { status: 'done' } }],
      appendTurns: [turn('b', { prompt: 'new' })],
      setMetadata: { y: 2, z: 3 },
      unsetMetadata: ['x', 'z'],
    })
    expect(result.session.turns).toStrictEqual([turn('a', { status: 'done' }), turn('b', { prompt: 'new' })])
    expect(result.session.metadata).toStrictEqual({ y: 2 })
    expect(() => apply(before, { keepTurns: 1, updateTurns: [{ turnId: 'b' }] })).toThrow(
      code('TURN_NOT_FOUND', { outcome: 'not-stored' }),
    )
  })

  it('compares an append with the turn as updated by the same change', () => {
    const before = session({ turns: [turn('a')] })
    const updateTurns = [{ turnId: 'a', set: { status: 'done' } }]
    expect(apply(before, { updateTurns, appendTurns: [turn('a', { status: 'done' })] }).deduplicated).toStrictEqual([
      'a',
    ])
    expect(() => apply(before, { updateTurns, appendTurns: [turn('a')] })).toThrow(code('TURN_ID_CONFLICT'))
  })

  it('a turn that is equal except for its times is a retry', () => {
    const before = session({ turns: [turn('a', { prompt: 'x', metadata: { k: [null] } })] })
    expect(
      apply(before, { appendTurns: [turn('a', { prompt: 'x', metadata: { k: [null] }, startedAt: T1, endedAt: T1 })] })
        .changed,
    ).toBe(false)
    for (const members of [
      { prompt: 'y' },
      { metadata: {} },
      { status: 'error' },
      { agentId: 'a' },
      { extra: { newer: 1 } },
    ]) {
      const other = turn('a', { prompt: 'x', metadata: { k: [null] }, ...members })
      expect(() => apply(before, { appendTurns: [other] })).toThrow(
        code('TURN_ID_CONFLICT', { sessionId: 's', outcome: 'not-stored' }),
      )
    }
  })

  it('recognizes the retry of a running turn that has grown', () => {
    const call = { callId: 'c', toolName: 'search' }
    const grown = session({
      turns: [{ ...turn('a', { prompt: 'x', responseContent: 'y' }), toolCalls: [{ ...call, result: 1 }] }],
    })
    const running = { ...turn('a', { prompt: 'x', status: 'running' }), toolCalls: [call] }
    expect(apply(grown, { appendTurns: [running] }).deduplicated).toStrictEqual(['a'])
    expect(apply(grown, { appendTurns: [{ ...running, toolCalls: [] }] }).deduplicated).toStrictEqual(['a'])
    for (const other of [{ prompt: 'y' }, { agentId: 'b' }, { status: 'success' }]) {
      expect(() => apply(grown, { appendTurns: [{ ...running, ...other }] })).toThrow(code('TURN_ID_CONFLICT'))
    }
  })

  it('lets the retry of a conditional append succeed, but no other conditional change', () => {
    const before = session({ turns: [turn('a'), turn('b')] })
    const retry = { appendTurns: [turn('b')] }
    expect(apply(before, retry, 4)).toStrictEqual({ session: before, changed: false, deduplicated: ['b'] })
    for (const members of [
      { appendTurns: [] },
      { appendTurns: [turn('b'), turn('c')] },
      { ...retry, keepTurns: 2 },
      { ...retry, unsetMetadata: ['x'] },
    ]) {
      expect(() => apply(before, members, 4)).toThrow(
        code('REVISION_CONFLICT', { actualRevision: 5, outcome: 'not-stored' }),
      )
    }
  })

  it('drops the agent transitions of dropped turns and frees their ids', () => {
    const agentTransitions = [
      { transitionId: 'kept', toAgent: 'x', turnId: 'a' },
      { transitionId: 'dropped', toAgent: 'x', turnId: 'b' },
      { transitionId: null, toAgent: 'x', turnId: 'elsewhere' },
    ]
    const before = session({ turns: [turn('a'), turn('b')], agentTransitions })
    const again = { keepTurns: 1, appendAgentTransitions: [{ transitionId: 'dropped', toAgent: 'y' }] }
    const after = apply(before, again).session.agentTransitions
    expect(after.map(({ transitionId, toAgent }) => [transitionId, toAgent])).toStrictEqual([
      ['kept', 'x'],
      [null, 'x'],
      ['dropped', 'y'],
    ])
    const conflict = { appendAgentTransitions: [{ transitionId: 'kept', toAgent: 'y', turnId: 'a' }] }
    expect(() => apply(before, conflict)).toThrow(code('TRANSITION_ID_CONFLICT'))
  })

  it('uses the last of two turns with the same id', () => {
    const before = session({ turns: [turn('a', { prompt: '1' }), turn('a', { prompt: '2' })] })
    const statuses = (change: Omit<SessionChange, 'updatedAt'>): string[] =>
      apply(before, change).session.turns.map(({ status }) => status)
    expect(statuses({ updateTurns: [{ turnId: 'a', set: { status: 'x' } }] })).toStrictEqual(['success', 'x'])
    expect(statuses({ keepTurns: 1, updateTurns: [{ turnId: 'a', set: { status: 'x' } }] })).toStrictEqual(['x'])
  })

  it('replaces tool calls in place, and gives new ids to calls without one', () => {
    const before = session({
      turns: [
        {
          ...turn('a'),
          toolCalls: [
            { callId: 'c', toolName: 'x' },
            { callId: 'd', toolName: 'x' },
          ],
        },
      ],
    })
    const putToolCalls = [{ callId: 'c', toolName: 'y', replace: true }, { toolName: 'z' }, { toolName: 'z' }]
    const calls = apply(before, { updateTurns: [{ turnId: 'a', putToolCalls }] }).session.turns[0]?.toolCalls ?? []
    expect(calls.map(({ toolName }) => toolName)).toStrictEqual(['y', 'x', 'z', 'z'])
    expect(new Set(calls.map(({ callId }) => callId)).size).toBe(4)
  })

  it('refuses an invalid change with the right code', () => {
    const wrong: [change: object, code: string][] = [
      [{ updatedAt: 1 }, 'INVALID_ARGUMENT'],
      [{ keepTurns: -1 }, 'INVALID_ARGUMENT'],
      [{ unknown: 1 }, 'INVALID_ARGUMENT'],
      [{ appendTurns: {} }, 'INVALID_ARGUMENT'],
      [{ agentId: '' }, 'INVALID_ID'],
      [{ appendTurns: [{ turnId: '' }] }, 'INVALID_ID'],
      [{ appendTurns: [{}] }, 'INVALID_RECORD'],
      [{ setMetadata: { a: Number.NaN } }, 'INVALID_RECORD'],
      [{ updateTurns: [{ turnId: 'a', set: { toolCalls: [] } }] }, 'INVALID_RECORD'],
    ]
    for (const [change, expected] of wrong) expect(() => apply(session(), change)).toThrow(code(expected))
    expect(() => apply(session(), {}, 0)).toThrow(code('INVALID_ARGUMENT'))
  })

  it('an append that is repeated is applied once', () => {
    const change = fc.array(
      fc.record({ turnId: fc.constantFrom('a', 'b', 'c', 'd'), prompt: fc.constantFrom('x', 'y') }),
      { minLength: 1 },
    )
    fc.assert(
      fc.property(change, turns => {
        const appendTurns = [...new Map(turns.map(each => [each.turnId, each])).values()]
        const once = apply(session(), { appendTurns })
        const twice = apply(once.session, { appendTurns }, 5)
        expect(twice).toStrictEqual({ session: once.session, changed: false, deduplicated: ids(once) })
      }),
    )
  })
})
