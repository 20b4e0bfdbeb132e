import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copyJson, type JsonObject, SizeBudget } from '../../src/basics/json.ts'
import type {
  AgentTransitionRecord,
  SessionRecord,
  ToolCallRecord,
  TurnItem,
  TurnRecord,
} from '../../src/records/models.ts'
import { createSession } from '../../src/records/factories.ts'
import { decodeSession } from '../../src/records/decode-record.ts'
import { encodeSession } from '../../src/records/encode-record.ts'

const text = fc.string({
  unit: fc.oneof(fc.string({ unit: 'binary', maxLength: 1 }), fc.constantFrom('\0', '\ud800', '\u2028')),
  maxLength: 5,
})
const textOrNull = fc.option(text)
const json = fc
  .jsonValue({ maxDepth: 2 })
  .map((value): JsonObject => ({ value: copyJson(value, 128, new SizeBudget(1e6)) }))
const object = fc.oneof(
  fc.constant<JsonObject>({}),
  json,
  fc.constant<JsonObject>(Object.fromEntries([['__proto__', { a: 1 }]])),
)
/** Unknown keys. A key of one level is unknown at another level. */
const extra = fc.option(fc.constantFrom<JsonObject>({ newer: [1] }, { new_key: null, other: {} }, { Turn_id: 'x' }), {
  nil: undefined,
})

const toolCall = withExtra(
  fc.record<ToolCallRecord>(
    {
      callId: text,
      toolName: text,
      arguments: object,
      result: object.map(({ value }) => value ?? null),
      status: text,
      error: textOrNull,
      durationMs: fc.option(
        fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => (value === 0 ? 0 : value)),
      ),
      sandboxContext: object,
      metadata: object,
    },
    { noNullPrototype: true },
  ),
)

const item = withExtra(fc.record<TurnItem>({ itemId: text, format: text, value: object }))

const turn = withExtra(
  fc.record<TurnRecord>({
    turnId: text,
    agentId: textOrNull,
    prompt: text,
    responseContent: textOrNull,
    toolCalls: fc.array(toolCall, { maxLength: 2 }),
    items: fc.array(item, { maxLength: 2 }),
    startedAt: text,
    endedAt: textOrNull,
    status: text,
    error: textOrNull,
    auditEventIds: fc.array(text, { maxLength: 2 }),
    metadata: object,
  }),
)

const transition = withExtra(
  fc.record<AgentTransitionRecord>({
    transitionId: textOrNull,
    fromAgent: textOrNull,
    toAgent: text,
    reason: textOrNull,
    turnId: text,
    timestamp: text,
  }),
)

const session = withExtra(
  fc.record<SessionRecord>({
    sessionId: text,
    workspaceId: fc.option(text.filter(id => id !== '')),
    parentSessionId: textOrNull,
    agentId: textOrNull,
    createdAt: text,
    updatedAt: text,
    turns: fc.array(turn, { maxLength: 3 }),
    agentTransitions: fc.array(transition, { maxLength: 2 }),
    metadata: object,
    revision: fc.integer({ min: 1 }),
  }),
)

function withExtra<T extends object>(record: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.tuple(record, extra).map(([members, extra]) => ({ ...members, ...(extra === undefined ? {} : { extra }) }))
}

const throughText = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('the wire format', () => {
  it('round-trips every record', () => {
    fc.assert(
      fc.property(session, record => {
        expect(decodeSession(throughText(encodeSession(record)))).toStrictEqual(record)
      }),
    )
  })

  it('round-trips every document that has all its keys', () => {
    fc.assert(
      fc.property(session, record => {
        const wire = encodeSession(record)
        expect(encodeSession(decodeSession(throughText(wire)))).toStrictEqual(wire)
      }),
    )
  })

  it('fills in defaults for missing members, and for null if there is a default', () => {
    const defaults = decodeSession({
      session_id: 's',
      turns: [{ turn_id: 't', tool_calls: [{ call_id: 'c', tool_name: 'x' }] }],
      agent_transitions: [{ to_agent: 'a' }],
    })
    expect(defaults).toStrictEqual<SessionRecord>({
      sessionId: 's',
      workspaceId: null,
      parentSessionId: null,
      agentId: null,
      createdAt: '',
      updatedAt: '',
      turns: [
        {
          turnId: 't',
          agentId: null,
          prompt: '',
          responseContent: null,
          toolCalls: [
            {
              callId: 'c',
              toolName: 'x',
              arguments: {},
              result: null,
              status: 'success',
              error: null,
              durationMs: null,
              sandboxContext: null,
              metadata: {},
            },
          ],
          startedAt: '',
          endedAt: null,
          status: 'success',
          error: null,
          auditEventIds: [],
          metadata: {},
          items: [],
        },
      ],
      agentTransitions: [
        { transitionId: null, fromAgent: null, toAgent: 'a', reason: null, turnId: '', timestamp: '' },
      ],
      metadata: {},
      revision: 1,
    })
    const nulls = {
      session_id: 's',
      workspace_id: null,
      created_at: null,
      turns: [
        {
          turn_id: 't',
          prompt: null,
          status: null,
          metadata: null,
          audit_event_ids: null,
          tool_calls: [{ call_id: 'c', tool_name: 'x', arguments: null, status: null }],
        },
      ],
      agent_transitions: [{ to_agent: 'a', turn_id: null, timestamp: null }],
      metadata: null,
      revision: null,
      schema_version: null,
    }
    expect(decodeSession(nulls)).toStrictEqual(defaults)
  })

  it('keeps what another program has under items, if it is not a list of items', () => {
    const read = (items: unknown): TurnRecord | undefined =>
      decodeSession({ session_id: 's', turns: [{ turn_id: 't', items, other: 1 }] }).turns[0]
    for (const foreign of [
      7,
      'x',
      {},
      [1],
      [{}],
      [{ item_id: 'i', format: 'f' }],
      [{ item_id: 1, format: 'f', value: 1 }],
    ]) {
      const turn = read(foreign)
      expect([turn?.items, turn?.extra]).toStrictEqual([[], { items: foreign, other: 1 }])
      const again = encodeSession(createSession({ sessionId: 's', turns: turn === undefined ? [] : [turn] }))
      expect(again.turns).toMatchObject([{ items: foreign, other: 1 }])
    }
    for (const own of [[], [{ item_id: 'i', format: 'f', value: null, more: 1 }]]) {
      expect(read(own)?.extra).toStrictEqual({ other: 1 })
      expect(read(own)?.items).toHaveLength(own.length)
      const extra = { items: own }
      expect(() => createSession({ sessionId: 's', turns: [{ turnId: 't', extra }] })).toThrow(
        expect.objectContaining({ code: 'INVALID_RECORD' }),
      )
    }
    const both = { turnId: 't', items: [{ format: 'f', value: 1 }], extra: { items: 7 } }
    expect(() => createSession({ sessionId: 's', turns: [both] })).toThrow(
      expect.objectContaining({ code: 'INVALID_RECORD' }),
    )
  })

  it('reads an empty workspace as no workspace, like the reference', () => {
    expect(decodeSession({ session_id: 's', workspace_id: '' }).workspaceId).toBe(null)
  })

  it('writes the keys of the reference in order, then the keys of Turnstore, then unknown keys', () => {
    const wire = encodeSession(decodeSession({ newer: 1, session_id: 's', agent_transitions: [{ to_agent: 'a' }] }))
    expect(Object.keys(wire).join(' ')).toBe(
      'session_id workspace_id created_at updated_at agent_id turns agent_transitions metadata ' +
        'parent_session_id revision schema_version newer',
    )
    expect(JSON.stringify(wire.agent_transitions)).toBe(
      '[{"from_agent":null,"to_agent":"a","reason":null,"turn_id":"","timestamp":""}]',
    )
  })

  it('refuses a newer schema before any other check', () => {
    expect(() => decodeSession({ schema_version: 2, turns: 'other' })).toThrow(
      expect.objectContaining({ code: 'SCHEMA_TOO_NEW' }),
    )
  })

  it.each<[string, unknown]>([
    ['session', null],
    ['session', []],
    ['session', 's'],
    ['session.session_id', {}],
    ['session.session_id', { session_id: 1 }],
    ['session.session_id', { session_id: null }],
    ['session.revision', { session_id: 's', revision: 0 }],
    ['session.revision', { session_id: 's', revision: 1.5 }],
    ['session.schema_version', { session_id: 's', schema_version: 0 }],
    ['session.turns', { session_id: 's', turns: {} }],
    ['session.turns[1]', { session_id: 's', turns: [{ turn_id: 't' }, null] }],
    ['session.turns[0].turn_id', { session_id: 's', turns: [{}] }],
    ['session.turns[0].prompt', { session_id: 's', turns: [{ turn_id: 't', prompt: ['secret'] }] }],
    [
      'session.turns[0].tool_calls[0].call_id',
      { session_id: 's', turns: [{ turn_id: 't', tool_calls: [{ tool_name: 'x' }] }] },
    ],
    [
      'session.turns[0].tool_calls[0].tool_name',
      { session_id: 's', turns: [{ turn_id: 't', tool_calls: [{ call_id: 'c' }] }] },
    ],
    ['session.agent_transitions[0].to_agent', { session_id: 's', agent_transitions: [{}] }],
    ['session.metadata', { session_id: 's', metadata: 'secret' }],
  ])('refuses an invalid %s and reports the path, not the value', (place, source) => {
    const message: unknown = expect.stringMatching(/^(?!.*secret)/)
    const refusal: unknown = expect.objectContaining({ code: 'INVALID_RECORD', message })
    expect(() => decodeSession(source)).toThrow(refusal)
    expect(() => decodeSession(source)).toThrow(place)
  })
})
