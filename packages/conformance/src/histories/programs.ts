import fc from 'fast-check'
import type { TimedChange } from '@turnstore/core'
import { expectSingleOrder } from './expect-order.js'
import type { Caller, Operation, Outcome } from './operations.js'
import { Recording } from './recording.js'
import { tellOperation } from './tell-call.js'
import { changeOf, itemOf, sessionOf, toolCallOf, transitionOf, turnOf } from '../samples/samples.js'

/*
 * Random programs of concurrent callers, with few ids and few kinds of calls, so that they conflict.
 */

/** A call without its condition yet: whether it continues from the last revision that its caller saw. */
interface Draft {
  readonly operation: Operation
  readonly ifSeen: boolean
}

/** The calls of each caller, made one after the other. */
export type Program = readonly (readonly Draft[])[]

const id = fc.constantFrom('s', 's', 's', 'S')
const turn = fc
  .record({ turnId: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), prompt: fc.constantFrom('x', 'x', 'x', 'y') })
  .map(({ turnId, prompt }) => turnOf(turnId, { prompt }))
const turns = fc.uniqueArray(turn, { minLength: 1, maxLength: 2, selector: ({ turnId }) => turnId })
const key = fc.constantFrom('k', 'l')
const metadata = fc.dictionary(key, fc.nat(2), { minKeys: 1, maxKeys: 2, noNullPrototype: true })

const change: fc.Arbitrary<TimedChange> = fc
  .oneof(
    fc.record({ appendTurns: turns }),
    fc.record({ appendTurns: turns, setMetadata: metadata }),
    fc.record({ setMetadata: metadata }),
    fc.record({ keepTurns: fc.nat(2), unsetMetadata: fc.tuple(key) }),
    turn.map(({ turnId }) => ({ updateTurns: [{ turnId, putToolCalls: [toolCallOf(turnId), toolCallOf('c')] }] })),
    fc.tuple(turn, fc.nat(2)).map(([{ turnId }, value]) => ({
      updateTurns: [{ turnId, removeItems: ['a'], putItems: [itemOf('a'), itemOf('b', { value })] }],
    })),
    turn.map(({ turnId }) => ({ appendAgentTransitions: [transitionOf(turnId)], agentId: turnId })),
  )
  .map(changeOf)

/** Of one key, so that most are repetitions. Applied twice, each would show. */
const keyed = fc.constantFrom('k', 'l').map(idempotencyKey => ({
  change: changeOf({ appendAgentTransitions: [transitionOf(null, { toAgent: idempotencyKey })] }),
  options: { idempotencyKey },
}))

const draft: fc.Arbitrary<Draft> = fc.record({
  operation: fc.oneof(
    { weight: 6, arbitrary: fc.record({ method: fc.constant('changeSession' as const), id, change }) },
    {
      weight: 2,
      arbitrary: fc.tuple(id, keyed, fc.boolean()).map(([id, { change, options }, creates]) => ({
        method: 'changeSession' as const,
        id,
        change,
        options: creates ? { ...options, createIfMissing: {} } : options,
      })),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        method: fc.constant('changeSession' as const),
        id,
        change: fc.record({ appendTurns: turns }).map(changeOf),
        options: fc.constant({ createIfMissing: {} }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc
        .record({ id, turns, metadata })
        .map(({ id, ...members }) => ({ method: 'saveSession' as const, id, record: sessionOf(id, members) })),
    },
    {
      weight: 3,
      arbitrary: fc.record({ method: fc.constantFrom('loadSession' as const, 'loadSummary' as const), id }),
    },
    { weight: 1, arbitrary: fc.record({ method: fc.constant('deleteSession' as const), id }) },
    {
      weight: 1,
      arbitrary: fc.record({ method: fc.constant('readTurns' as const), id, range: fc.constant({ last: 2 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        method: fc.constant('readParts' as const),
        id,
        turnId: turn.map(({ turnId }) => turnId),
        range: fc.constant({ list: 'items' as const }),
      }),
    },
  ),
  ifSeen: fc.integer({ min: 0, max: 3 }).map(value => value === 3),
})

/** A short description of a program. */
export function tellProgram(program: Program): string[] {
  return program.map((drafts, index) => {
    const calls = drafts.map(
      ({ operation, ifSeen }) => tellOperation(operation) + (ifSeen ? ' at what it saw last' : ''),
    )
    return `caller ${index + 1}: ${calls.join(', ')}`
  })
}

export function programOf(callers: number, mostCalls: number): fc.Arbitrary<Program> {
  return fc.array(fc.array(draft, { minLength: 1, maxLength: mostCalls }), { minLength: 2, maxLength: callers })
}

/**
 * Runs a program with its callers distributed over handles or processes, and asserts that its history, with a final read
 * by each handle, is linearizable.
 */
export async function runProgram(program: Program, handles: readonly (readonly [string, Caller])[]): Promise<void> {
  const recording = new Recording()
  for (const id of ['s', 'S']) await onFirst({ method: 'saveSession', id, record: sessionOf(id) })
  await Promise.all(
    program.map(async (drafts, index) => {
      const [name, call] = handles[index % handles.length] ?? ['nobody', () => Promise.resolve()]
      let seen = 1
      for (const { operation, ifSeen } of drafts) {
        const who = `caller ${index + 1} on ${name}`
        const outcome = await recording.record(who, conditional(operation, ifSeen, seen), call)
        seen = revisionIn(outcome) ?? seen
      }
    }),
  )
  for (const [name, call] of handles) {
    for (const id of ['s', 'S']) await recording.record(name, { method: 'loadSession', id }, call)
  }
  for (const id of ['s', 'S']) expectSingleOrder(recording.calls.filter(({ operation }) => operation.id === id))

  async function onFirst(operation: Operation): Promise<void> {
    for (const [name, call] of handles.slice(0, 1)) await recording.record(name, operation, call)
  }
}

function conditional(operation: Operation, ifSeen: boolean, seen: number): Operation {
  if (!ifSeen) return operation
  if (operation.method === 'saveSession') return { ...operation, options: { ifRevision: seen } }
  if (operation.method !== 'changeSession' || operation.options?.createIfMissing !== undefined) return operation
  // A change does not accept 0, since without `createIfMissing` it cannot create a session.
  return { ...operation, options: { ...operation.options, ifRevision: seen || 1 } }
}

function revisionIn(outcome: Outcome): number | undefined {
  if (outcome.kind === 'failed') return outcome.actualRevision
  const value = outcome.kind === 'gave' ? outcome.value : null
  if (typeof value === 'number') return value
  const revision: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'revision') : undefined
  return typeof revision === 'number' ? revision : undefined
}
