import type {
  AgentTransitionRecord,
  SessionChange,
  SessionRecord,
  TimedChange,
  ToolCallRecord,
  TurnItem,
  TurnRecord,
} from '@turnstore/core'

/*
 * Complete records, written out instead of made by core's factories: the suite must not take its expectations from the
 * code that it tests.
 */

export const T0 = '2026-01-31T12:00:00.000000Z'
export const T1 = '2026-01-31T12:00:01.000000Z'
export const T2 = '2026-01-31T12:00:02.000000Z'

export function sessionOf(sessionId: string, members: Partial<SessionRecord> = {}): SessionRecord {
  return {
    sessionId,
    workspaceId: null,
    parentSessionId: null,
    agentId: null,
    createdAt: T0,
    updatedAt: T0,
    turns: [],
    agentTransitions: [],
    metadata: {},
    revision: 1,
    ...members,
  }
}

export function turnOf(turnId: string, members: Partial<TurnRecord> = {}): TurnRecord {
  return {
    turnId,
    agentId: null,
    prompt: '',
    responseContent: null,
    toolCalls: [],
    items: [],
    startedAt: '',
    endedAt: null,
    status: 'success',
    error: null,
    auditEventIds: [],
    metadata: {},
    ...members,
  }
}

export function toolCallOf(callId: string, members: Partial<ToolCallRecord> = {}): ToolCallRecord {
  return {
    callId,
    toolName: 'search',
    arguments: {},
    result: null,
    status: 'success',
    error: null,
    durationMs: null,
    sandboxContext: null,
    metadata: {},
    ...members,
  }
}

export function itemOf(itemId: string, members: Partial<TurnItem> = {}): TurnItem {
  return { itemId, format: 'chat', value: null, ...members }
}

export function transitionOf(
  transitionId: string | null,
  members: Partial<AgentTransitionRecord> = {},
): AgentTransitionRecord {
  return { transitionId, fromAgent: null, toAgent: 'billing', reason: null, turnId: '', timestamp: '', ...members }
}

export function changeOf(members: SessionChange): TimedChange {
  return { updatedAt: T1, ...members }
}

/** A change that appends one turn. */
export function appendOf(turnId: string, members: Partial<TurnRecord> = {}): TimedChange {
  return changeOf({ appendTurns: [turnOf(turnId, members)] })
}

/** Several turns, `t0`, `t1` and so on. */
export function turnsOf(count: number): TurnRecord[] {
  return Array.from({ length: count }, (_, index) => turnOf(`t${index}`, { prompt: `prompt ${index}` }))
}

export function turnIdsOf(session: { turns: readonly TurnRecord[] }): string[] {
  return session.turns.map(turn => turn.turnId)
}

/** A session with a value in every member of every record. */
export function fullSession(sessionId: string, members: Partial<SessionRecord> = {}): SessionRecord {
  return sessionOf(sessionId, {
    parentSessionId: 'parent',
    agentId: 'support',
    createdAt: '2024-05-15T15:02:00.123456',
    updatedAt: '2024-05-15T17:02:00+02:00',
    turns: [
      turnOf('t1', {
        agentId: 'support',
        prompt: 'Where is my parcel?',
        responseContent: 'At the depot.',
        toolCalls: [
          toolCallOf('c1', {
            toolName: 'track',
            arguments: { parcel: 'P-1', deep: [1, { a: null }] },
            result: { place: 'depot' },
            status: 'timeout',
            error: 'slow',
            durationMs: 12.5,
            sandboxContext: { image: 'node' },
            metadata: { cached: false },
            extra: { cost: 1 },
          }),
          toolCallOf('c2', { result: [] }),
        ],
        items: [
          { itemId: 'i1', format: 'chat', value: { role: 'user', content: 'Where is my parcel?' }, extra: { at: 1 } },
          { itemId: 'i2', format: 'own', value: null },
        ],
        startedAt: '2024-05-15T15:02:01Z',
        endedAt: '2024-05-15T15:02:02Z',
        status: 'error',
        error: 'none',
        auditEventIds: ['e2', 'e1'],
        metadata: { tokens: 17, nothing: null },
        extra: { model: { name: 'x' } },
      }),
      turnOf('t0', { startedAt: '2020-01-01T00:00:00Z' }),
    ],
    agentTransitions: [
      transitionOf('h1', {
        fromAgent: 'support',
        reason: 'refund',
        turnId: 't1',
        timestamp: T1,
        extra: { urgent: true },
      }),
      transitionOf(null, { turnId: 't0' }),
    ],
    metadata: { customer: 'C-1', tags: ['a', 'b'], nested: { a: {} } },
    extra: { newer: ['writer'] },
    ...members,
  })
}

/** 0, 1, 2, …, count - 1. */
export function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** A record that changes would refuse but saves must keep. */
export function oldFile(sessionId: string): SessionRecord {
  return sessionOf(sessionId, {
    agentId: '',
    turns: [
      turnOf('twice', { prompt: 'first' }),
      turnOf('once', { agentId: 'a\0b', toolCalls: [toolCallOf('c'), toolCallOf('c', { result: 1 })] }),
      turnOf('twice', { prompt: 'second' }),
      turnOf(''),
      turnOf('a\nb'),
      turnOf('x'.repeat(300)),
      turnOf('\ud800'),
    ],
    agentTransitions: [
      transitionOf('h'),
      transitionOf('h', { toAgent: '' }),
      transitionOf(null, { turnId: 'a\nb' }),
      transitionOf('of the second', { turnId: 'twice' }),
    ],
  })
}
