import type { TurnRecord } from '@turnstore/core'
import type { CallOptions, Operation } from './operations.js'
import type { Random } from '../samples/random.js'
import { changeOf, indexes, itemOf, sessionOf, toolCallOf, transitionOf, turnOf } from '../samples/samples.js'

/*
 * The work of a process that will be killed: more calls than it can make. Derived from a seed.
 */

/** More calls than a process makes before it is killed. */
const CALLS = 60

/** Gives each turn a unique id across all rounds. */
export type Names = () => string

export function names(prefix: string): Names {
  let count = 0
  return () => `${prefix}${count++}`
}

/** Only appends, with occasional batches and large turns. */
export function appends(id: string, random: Random, name: Names): Operation[] {
  return indexes(CALLS).map(() => append(id, turns(random.below(4) === 0 ? 3 : 1, random, name)))
}

/** Conditional appends of the only writer of a session, which therefore knows each revision. */
export function conditionalAppends(id: string, random: Random, name: Names, revision: number): Operation[] {
  return indexes(CALLS).map(index => ({
    ...append(id, turns(1 + random.below(2), random, name)),
    options: { ifRevision: revision + index },
  }))
}

/** The turn of {@link steps}. */
export const STEPS = 'steps'

/** The steps of an agent in one turn, some with a key: calls that begin and end, items, the turn's head. */
export function steps(id: string, random: Random, name: Names): Operation[] {
  return [
    change(id, { appendTurns: [turnOf(STEPS, { status: 'running' })] }),
    ...indexes(CALLS).flatMap((): Operation[] => {
      const call = name()
      const result = `${call} `.repeat(random.below(16) === 0 ? 3000 : random.below(40))
      const step = (members: object): Operation => change(id, { updateTurns: [{ turnId: STEPS, ...members }] })
      const began = step({ putToolCalls: [toolCallOf(call, { status: 'running' })], putItems: [itemOf(call)] })
      const ended = step({ putToolCalls: [toolCallOf(call, { result })], setMetadata: { last: call } })
      const cleared = step({ removeItems: [call], set: { responseContent: call } })
      return [began, ended, ...(random.below(3) === 0 ? [cleared] : []), keyed(id, name())]
    }),
  ]
}

/** Changes that a second application would show, each with a key, and each creating its session if need be. */
export function keyedChanges(id: string, name: Names): Operation[] {
  return indexes(CALLS).map(() => keyed(id, name(), { createIfMissing: {} }))
}

function keyed(id: string, key: string, others: CallOptions = {}): Operation {
  const applied = changeOf({ appendAgentTransitions: [transitionOf(null, { toAgent: key })] })
  return { method: 'changeSession', id, change: applied, options: { idempotencyKey: key, ...others } }
}

/** Changes with many parts, saves, rewinds, and deletes followed by a new session. */
export function changesOfManyParts(id: string, random: Random, name: Names): Operation[] {
  return indexes(CALLS).flatMap((index): Operation[] => {
    const brought = turns(1 + random.below(6), random, name)
    const turnId = brought[0]?.turnId ?? ''
    const setMetadata = { last: turnId, count: index }
    switch (random.below(6)) {
      case 0:
        return [{ method: 'saveSession', id, record: sessionOf(id, { turns: brought, metadata: setMetadata }) }]
      case 1:
        return [
          { method: 'deleteSession', id },
          { method: 'saveSession', id, record: sessionOf(id, { metadata: setMetadata }), options: { ifRevision: 0 } },
        ]
      case 2:
        return [change(id, { keepTurns: random.below(4), setMetadata, agentId: turnId })]
      case 3:
        return [change(id, { keepTurns: random.below(3), appendTurns: brought, unsetMetadata: ['last'] })]
      default: {
        const put = [toolCallOf(turnId, { result: turnId }), toolCallOf(`${turnId} again`)]
        return [
          change(id, { appendTurns: brought, appendAgentTransitions: [transitionOf(turnId, { turnId })], setMetadata }),
          change(id, {
            updateTurns: [{ turnId, set: { responseContent: turnId, status: 'success' }, putToolCalls: put }],
            setMetadata: { updated: turnId },
          }),
        ]
      }
    }
  })
}

/** Creates sessions one by one, and changes and deletes some. */
export function creations(random: Random, name: Names): Operation[] {
  return indexes(CALLS).flatMap((): Operation[] => {
    const id = name()
    const record = sessionOf(id, { workspaceId: random.below(2) === 0 ? 'w' : null, turns: turns(2, random, name) })
    const created: Operation = { method: 'saveSession', id, record, options: { ifRevision: 0 } }
    const rest: Operation[] = [append(id, turns(1, random, name)), { method: 'deleteSession', id }]
    return [created, ...rest.slice(0, random.below(3))]
  })
}

export function append(id: string, appendTurns: TurnRecord[]): Operation {
  return change(id, { appendTurns })
}

export function turns(count: number, random: Random, name: Names): TurnRecord[] {
  return indexes(count).map(() => {
    const turnId = name()
    const length = random.below(16) === 0 ? 20_000 : random.below(300)
    return turnOf(turnId, { status: 'running', prompt: `${turnId} `.repeat(length / turnId.length) })
  })
}

function change(id: string, members: Parameters<typeof changeOf>[0]): Operation {
  return { method: 'changeSession', id, change: changeOf(members) }
}
