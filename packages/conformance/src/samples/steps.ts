import fc from 'fast-check'
import type {
  JsonObject,
  NewSessionInput,
  PartRange,
  TimedChange,
  SessionQuery,
  SessionChange,
  SessionRecord,
  TurnRange,
  TurnRecord,
  TurnUpdate,
} from '@turnstore/core'
import { itemOf, sessionOf, toolCallOf, transitionOf, turnOf } from './samples.js'

/** One call of a random history as data, to print and shrink. */
export type Step =
  | { do: 'save'; record: SessionRecord; options: StepOptions }
  | { do: 'change'; id: string; change: TimedChange; options: StepOptions }
  | { do: 'delete'; id: string; options: StepOptions }
  | { do: 'read'; id: string; range: TurnRange; turnId: string; parts: PartRange; options: StepOptions }
  | { do: 'query'; query: SessionQuery }
  | { do: 'reopen' }

export interface StepOptions {
  workspaceId?: string | null
  /** Offset from the session's current revision. */
  revisionOff?: number
  idempotencyKey?: string
  createIfMissing?: NewSessionInput
}

/*
 * Few ids, so that calls conflict; some that a store might confuse.
 */

export const sessionIds: readonly string[] = ['s', 'S', 's:turns']
const turnId = fc.constantFrom('t', 'T', 'u', 'v')
const workspaceId = fc.constantFrom(null, 'w', 'W')
const agentId = fc.constantFrom(null, 'a', 'b')
const time = fc.constantFrom(
  '2026-01-31T12:00:00Z',
  '2026-01-31T12:00',
  '2026-01-31T13:00:00+01:00',
  '2026-01-31T12:00:00.000001Z',
  '2026-01-31T12:00:01.5',
  '2026-01-31T11:00:00-05:30',
  '',
  'x',
)
const json = fc.constantFrom(null, 0, 1, -1.5, '', 'x', '\ud800', true, [], {}, [null, {}], { a: { b: [1] } })
const members = fc.dictionary(fc.constantFrom('k', 'K', 'ended', '__proto__', 'a.b', ''), json, { maxKeys: 3 })
const extra: fc.Arbitrary<JsonObject | undefined> = fc.constantFrom(undefined, { newer: [1] })
const options: fc.Arbitrary<StepOptions> = fc.record(
  { workspaceId, revisionOff: fc.constantFrom(0, 0, 0, -1, 1) },
  { requiredKeys: [] },
)

const scope: fc.Arbitrary<StepOptions> = fc.record({ workspaceId }, { requiredKeys: [] })

const partId = fc.constantFrom('c', 'd', 'e')
const status = fc.constantFrom('success', 'running')

const toolCall = fc
  .record({ id: partId, result: json, arguments: fc.constantFrom({}, {}, { a: 1 }), status })
  .map(({ id, ...rest }) => toolCallOf(id, rest))

const item = fc.record({ id: partId, value: json }).map(({ id, value }) => itemOf(id, { value }))

const turn: fc.Arbitrary<TurnRecord> = fc
  .record({
    turnId,
    agentId,
    prompt: fc.constantFrom('', 'p', '\u2028'),
    toolCalls: fc.array(toolCall, { maxLength: 2 }),
    items: fc.array(item, { maxLength: 2 }),
    startedAt: time,
    status,
    metadata: members,
    extra,
  })
  .map(({ turnId, extra, ...rest }) => turnOf(turnId, { ...rest, ...(extra && { extra }) }))

const transition = fc
  .record({
    id: fc.constantFrom(null, 'h', 'i'),
    toAgent: fc.constantFrom('a', 'b'),
    turnId: fc.oneof(turnId, fc.constant('')),
    timestamp: time,
  })
  .map(({ id, ...rest }) => transitionOf(id, rest))

const record: fc.Arbitrary<SessionRecord> = fc
  .record({
    sessionId: fc.constantFrom(...sessionIds),
    // Mostly without a workspace: a save over a session of another workspace is refused and tests nothing more.
    workspaceId: fc.constantFrom(null, null, null, 'w', 'W'),
    parentSessionId: fc.constantFrom(null, 's'),
    agentId,
    createdAt: time,
    updatedAt: time,
    turns: fc.array(turn, { maxLength: 3 }),
    agentTransitions: fc.array(transition, { maxLength: 2 }),
    metadata: members,
    extra,
  })
  .map(({ sessionId, extra, ...rest }) => sessionOf(sessionId, { ...rest, ...(extra && { extra }) }))

const update: fc.Arbitrary<TurnUpdate> = fc.record(
  {
    turnId,
    ifStatus: status,
    set: fc.record(
      {
        status: fc.constantFrom('success', 'running'),
        responseContent: fc.constantFrom(null, 'r'),
        metadata: members,
        extra: members,
      },
      { requiredKeys: [] },
    ),
    setMetadata: members,
    unsetMetadata: fc.subarray(['k', '__proto__']),
    removeToolCalls: fc.subarray(['c', 'd']),
    removeItems: fc.subarray(['c', 'd']),
    putToolCalls: fc.array(
      fc.tuple(toolCall, fc.boolean()).map(([call, replace]) => (replace ? { ...call, replace } : call)),
      { maxLength: 2 },
    ),
    putItems: fc.array(item, { maxLength: 2 }),
  },
  { requiredKeys: ['turnId'] },
)

/** A step of an agent is frequent, too. */
const stepInTurn = fc
  .record({ turnId, putToolCalls: fc.tuple(toolCall), putItems: fc.tuple(item) })
  .chain(({ turnId, ...puts }) =>
    fc.subarray(['putToolCalls', 'putItems'] as const, { minLength: 1 }).map(names => ({
      turnId,
      ...Object.fromEntries(names.map(name => [name, puts[name]])),
    })),
  )

const change: fc.Arbitrary<TimedChange> = fc.record(
  {
    keepTurns: fc.nat(4),
    updateTurns: fc.array(update, { maxLength: 2 }),
    appendTurns: fc.array(turn, { maxLength: 3 }),
    appendAgentTransitions: fc.array(transition, { maxLength: 2 }),
    setMetadata: members,
    unsetMetadata: fc.subarray(['k', 'ended', '__proto__']),
    agentId,
    reopen: fc.boolean(),
    updatedAt: time,
  },
  { requiredKeys: ['updatedAt'] },
)

/** Plain appends are frequent, as in real use. */
const append = fc.record({ appendTurns: fc.array(turn, { minLength: 1, maxLength: 3 }), updatedAt: time })

/** One change for each key, so that a repetition is one; and others, which conflict. */
const keyed = fc
  .record({
    key: fc.constantFrom('k', 'K', 'same'),
    other: fc.option(change, { freq: 4 }),
    createIfMissing: fc.option(fc.constant({}), { freq: 2 }),
    updatedAt: time,
  })
  .map(({ key, other, createIfMissing, updatedAt }) => ({
    change: { ...(other ?? changesOfKeys[key]), updatedAt },
    options: { idempotencyKey: key, ...(createIfMissing && { createIfMissing }) },
  }))

const changesOfKeys: Readonly<Record<string, SessionChange>> = {
  k: { appendAgentTransitions: [transitionOf(null)] },
  K: { keepTurns: 1, setMetadata: { k: 'K' } },
  same: { agentId: 'a' },
}

const creation = fc.record(
  {
    workspaceId: fc.constantFrom(null, null, 'w'),
    agentId,
    parentSessionId: fc.constantFrom(null, 's'),
    metadata: members,
  },
  { requiredKeys: [] },
)

const partRange: fc.Arbitrary<PartRange> = fc
  .tuple(
    fc.constantFrom('toolCalls' as const, 'items' as const),
    fc.oneof(
      fc.record({ last: fc.nat(2) }),
      fc.record({ from: fc.nat(2), limit: fc.integer({ min: 1, max: 2 }) }, { requiredKeys: [] }),
    ),
  )
  .map(([list, range]) => ({ list, ...range }))

const range: fc.Arbitrary<TurnRange> = fc.oneof(
  fc.record({ last: fc.nat(4) }),
  fc.record({ from: fc.nat(4), limit: fc.integer({ min: 1, max: 3 }) }, { requiredKeys: [] }),
  fc.record({ turnId }),
)

const readableTime = time.filter(text => text.length > 1)
const query: fc.Arbitrary<SessionQuery> = fc.record(
  {
    workspaceId,
    agentId,
    parentSessionId: fc.constantFrom(null, 's'),
    ended: fc.boolean(),
    updatedAfter: readableTime,
    createdBefore: readableTime,
    metadata: fc.dictionary(fc.constantFrom('k', '__proto__'), fc.constantFrom(null, 0, 1, '', 'x', true), {
      maxKeys: 1,
    }),
    orderBy: fc.constantFrom('updatedAt', 'createdAt'),
    order: fc.constantFrom('asc', 'desc'),
    limit: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: [] },
)

/** One generator for each kind of step. */
export function stepsOf(canReopen: boolean): fc.Arbitrary<Step>[] {
  const id = fc.constantFrom(...sessionIds)
  return [
    fc.record({ do: fc.constant('save' as const), record, options }),
    fc.record({ do: fc.constant('save' as const), record, options: fc.constant({}) }),
    fc.record({ do: fc.constant('change' as const), id, change, options }),
    fc.record({ do: fc.constant('change' as const), id, change: append, options }),
    fc.record({ do: fc.constant('change' as const), id, change: append, options: fc.constant({}) }),
    fc.record({
      do: fc.constant('change' as const),
      id,
      change: fc.record({ updateTurns: fc.tuple(stepInTurn), updatedAt: time }),
      options: fc.constant({}),
    }),
    fc.tuple(id, keyed).map(([id, { change, options }]) => ({ do: 'change' as const, id, change, options })),
    fc.record({
      do: fc.constant('change' as const),
      id,
      change,
      options: fc.record({ createIfMissing: creation }),
    }),
    fc.record({ do: fc.constant('delete' as const), id, options: scope }),
    fc.record({ do: fc.constant('read' as const), id, range, turnId, parts: partRange, options: scope }),
    fc.record({ do: fc.constant('query' as const), query }),
    ...(canReopen ? [fc.record({ do: fc.constant('reopen' as const) })] : []),
  ]
}
