import fc from 'fast-check'
import {
  createSession,
  type JsonValue,
  type SessionRecord,
  type ToolCallRecord,
  type TurnRecord,
} from '@turnstore/core'

/*
 * A session, and stages of it that developed independently. Independent of how merges are implemented.
 */

/** A step in a session after it was copied. Steps in two copies never contradict each other. */
export type Step =
  | { readonly kind: 'answer'; readonly turn: number; readonly call: number }
  | { readonly kind: 'call'; readonly turn: number; readonly name: string }
  | { readonly kind: 'end'; readonly turn: number }
  | { readonly kind: 'annotate'; readonly turn: number; readonly key: string }
  | { readonly kind: 'audit'; readonly turn: number; readonly id: string }
  | { readonly kind: 'metadata'; readonly key: string }
  | { readonly kind: 'extra'; readonly turn: number; readonly key: string }
  | { readonly kind: 'transition'; readonly id: string | null; readonly to: string }
  | { readonly kind: 'append'; readonly id: string; readonly again: boolean }
  | { readonly kind: 'time'; readonly hour: number }
  | { readonly kind: 'agent'; readonly turn: number }
  | { readonly kind: 'item'; readonly turn: number; readonly id: string }

const key = fc.constantFrom('a', 'b', '__proto__', 'constructor')
const place = fc.nat(5)

export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('answer' as const), turn: place, call: place }),
  fc.record({ kind: fc.constant('call' as const), turn: place, name: fc.constantFrom('c0', 'c1', 'c9', 'd') }),
  fc.record({ kind: fc.constant('end' as const), turn: place }),
  fc.record({ kind: fc.constant('annotate' as const), turn: place, key }),
  fc.record({ kind: fc.constant('audit' as const), turn: place, id: key }),
  fc.record({ kind: fc.constant('metadata' as const), key }),
  fc.record({ kind: fc.constant('extra' as const), turn: place, key }),
  fc.record({
    kind: fc.constant('transition' as const),
    id: fc.constantFrom(null, 'x', 'y'),
    to: fc.constantFrom('p', 'q'),
  }),
  fc.record({ kind: fc.constant('append' as const), id: fc.constantFrom('n1', 'n2', 'n3'), again: fc.boolean() }),
  fc.record({ kind: fc.constant('time' as const), hour: fc.nat(9) }),
  fc.record({ kind: fc.constant('agent' as const), turn: place }),
  fc.record({ kind: fc.constant('item' as const), turn: place, id: fc.constantFrom('i0', 'i1', 'j', '__proto__') }),
)

export const steps: fc.Arbitrary<Step[]> = fc.array(step, { maxLength: 8 })

const call: fc.Arbitrary<ToolCallRecord> = fc
  .record({ callId: fc.constantFrom('c0', 'c1', 'c2', ''), isOpen: fc.boolean() })
  .map(({ callId, isOpen }) => {
    const open = callOf(callId)
    return isOpen ? open : answered(open)
  })

const turn = fc.record({
  calls: fc.array(call, { maxLength: 3 }),
  isOpen: fc.boolean(),
  said: fc.constantFrom(null, '', 'Yes'),
  audit: fc.subarray(['a', 'b']),
})

export const session: fc.Arbitrary<SessionRecord> = fc
  .record({
    turns: fc.array(turn, { maxLength: 4 }),
    repeats: fc.boolean(),
    isKnown: fc.boolean(),
    parent: fc.constantFrom(null, 'p'),
  })
  .map(({ turns, repeats, isKnown, parent }) =>
    createSession({
      sessionId: 's',
      createdAt: isKnown ? '2026-01-01T00:00:00Z' : '',
      updatedAt: isKnown ? '2026-01-01T00:00:00Z' : '',
      parentSessionId: isKnown ? parent : null,
      turns: turns.map(({ calls, isOpen, said, audit }, index) => ({
        // Records of the reference implementation may contain duplicate ids.
        ...turnOf(repeats && index > 0 ? 't' : `t${index}`),
        toolCalls: calls,
        responseContent: said,
        auditEventIds: audit,
        ...(isOpen ? {} : ended()),
      })),
    }),
  )

/** A new record: the session after the steps. */
export function after(base: SessionRecord, taken: readonly Step[]): SessionRecord {
  return taken.reduce(take, base)
}

function take(session: SessionRecord, step: Step): SessionRecord {
  switch (step.kind) {
    case 'answer':
      return inTurn(session, step.turn, turn => ({
        ...turn,
        toolCalls: turn.toolCalls.map((each, index) =>
          index === step.call && each.status === 'running' ? answered(each) : each,
        ),
      }))
    case 'call':
      return inTurn(session, step.turn, turn =>
        turn.toolCalls.some(({ callId }) => callId === step.name)
          ? turn
          : { ...turn, toolCalls: [...turn.toolCalls, callOf(step.name)] },
      )
    case 'end':
      return inTurn(session, step.turn, turn => (turn.status === 'running' ? { ...turn, ...ended() } : turn))
    case 'annotate':
      return inTurn(session, step.turn, turn => ({ ...turn, metadata: withKey(turn.metadata, step.key, 5) }))
    case 'audit':
      return inTurn(session, step.turn, turn =>
        turn.auditEventIds.includes(step.id) ? turn : { ...turn, auditEventIds: [...turn.auditEventIds, step.id] },
      )
    case 'extra':
      return inTurn(session, step.turn, turn => ({ ...turn, extra: withKey(turn.extra ?? {}, step.key, true) }))
    case 'agent':
      return inTurn(session, step.turn, turn => ({ ...turn, agentId: 'front' }))
    case 'item':
      return inTurn(session, step.turn, turn =>
        turn.items.some(({ itemId }) => itemId === step.id)
          ? turn
          : { ...turn, items: [...turn.items, { itemId: step.id, format: 'own', value: { of: step.id } }] },
      )
    case 'metadata':
      return { ...session, metadata: withKey(session.metadata, step.key, { deep: [step.key] }) }
    case 'transition':
      return handedOver(session, step)
    case 'append':
      return appended(session, step)
    default:
      return { ...session, updatedAt: `2026-02-01T0${step.hour}:00:00Z` }
  }
}

function inTurn(session: SessionRecord, place: number, alter: (turn: TurnRecord) => TurnRecord): SessionRecord {
  return { ...session, turns: session.turns.map((turn, index) => (index === place ? alter(turn) : turn)) }
}

function handedOver(session: SessionRecord, { id, to }: { id: string | null; to: string }): SessionRecord {
  const { agentTransitions } = session
  if (id !== null && agentTransitions.some(({ transitionId }) => transitionId === id)) return session
  const [transition] = createSession({
    sessionId: 's',
    agentTransitions: [{ transitionId: id, toAgent: id ?? to, timestamp: '' }],
  }).agentTransitions
  return transition === undefined ? session : { ...session, agentTransitions: [...agentTransitions, transition] }
}

function appended(session: SessionRecord, { id, again }: { id: string; again: boolean }): SessionRecord {
  const isThere = session.turns.some(({ turnId }) => turnId === id)
  return isThere && !again ? session : { ...session, turns: [...session.turns, turnOf(id)] }
}

function withKey(object: Record<string, JsonValue>, key: string, value: JsonValue): Record<string, JsonValue> {
  return Object.fromEntries([...Object.entries(object).filter(([name]) => name !== key), [key, value]])
}

function turnOf(turnId: string): TurnRecord {
  const [turn] = createSession({
    sessionId: 's',
    turns: [{ turnId, prompt: `Prompt of ${turnId}`, status: 'running', startedAt: '2026-01-01T00:00:00Z' }],
  }).turns
  if (turn === undefined) throw new Error('no turn')
  return turn
}

function callOf(callId: string): ToolCallRecord {
  return {
    callId,
    toolName: `tool of ${callId}`,
    arguments: { id: callId },
    result: null,
    status: 'running',
    error: null,
    durationMs: null,
    sandboxContext: null,
    metadata: {},
  }
}

function answered(open: ToolCallRecord): ToolCallRecord {
  return { ...open, status: 'success', result: { of: open.callId }, durationMs: 3 }
}

function ended(): Pick<TurnRecord, 'status' | 'endedAt'> {
  return { status: 'success', endedAt: '2026-01-01T00:01:00Z' }
}
