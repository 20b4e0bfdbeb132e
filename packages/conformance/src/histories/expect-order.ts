import { differenceOf, fail } from '../checks/expect.js'
import { answerOf, type State } from './model.js'
import type { Operation } from './operations.js'
import { type Call, findOrder, type Search } from './single-order.js'
import { tellCall, tellOutcome, tellState } from './tell-call.js'

/**
 * That calls on one session happened in one order on which everybody agrees, in which each gave what the contract
 * says. Gives the state that this order ends with, and what is left: calls of unknown outcome that have not happened.
 *
 * The failure says which call fits nowhere. It shows the smallest part of the history that is wrong already: up to
 * the first answer that contradicts the others, without the reads that have nothing to do with it.
 */
export function expectSingleOrder(calls: readonly Call[], initial: State = null): Search {
  const search = findOrder(initial, calls)
  return search.found ? search : fail(contradictionIn(smallest(calls, initial), initial))
}

/** The part of a wrong history that is wrong by itself. */
function smallest(calls: readonly Call[], initial: State): readonly Call[] {
  const isWrong = (part: readonly Call[]): boolean => !findOrder(initial, part).found
  const moments = calls
    .map(({ ended }) => ended)
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b)
  // What is wrong with few answers is wrong with more, so the first moment at which it is can be bisected.
  let [low, high] = [0, moments.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isWrong(until(calls, moments[middle] ?? 0))) high = middle
    else low = middle + 1
  }
  let part = until(calls, moments[low] ?? 0)
  // Nothing but a write that succeeded can explain what others saw.
  for (const call of part.filter(({ operation, outcome }) => isRead(operation) || outcome.kind === 'failed')) {
    const without = part.filter(other => other !== call)
    if (isWrong(without)) part = without
  }
  return part
}

/** The history as it stood at a moment: what had begun by then, and what had not ended is unknown. */
function until(calls: readonly Call[], moment: number): readonly Call[] {
  return calls
    .filter(({ began }) => began < moment)
    .map((call): Call => (call.ended <= moment ? call : { ...call, ended: Infinity, outcome: { kind: 'unknown' } }))
    .filter(({ operation, outcome }) => !(outcome.kind === 'unknown' && isRead(operation)))
    .filter((call, _index, all) => !all.some(other => isUnderWay(other) && isLaterOf(call, other)))
}

function isUnderWay({ outcome }: Call): boolean {
  return outcome.kind === 'unknown'
}

/** Whether a caller can have made a call only when the other had come to its end. */
function isLaterOf(call: Call, other: Call): boolean {
  return call.who === other.who && call.place > other.place
}

function isRead({ method }: Operation): boolean {
  return method === 'loadSession' || method === 'loadSummary' || method === 'readTurns'
}

function contradictionIn(part: readonly Call[], initial: State): string {
  const { state, order, left } = findOrder(initial, part)
  const wrong = left.filter(({ outcome }) => outcome.kind !== 'unknown')
  const open = left.filter(({ outcome }) => outcome.kind === 'unknown')
  return [
    'there is no single order in which these calls can have happened. The longest that fits:',
    ...(initial === null ? [] : [`  at first the session is ${tellState(initial)}`]),
    ...order.slice(-12).map(call => `  ${tellCall(call)}`),
    `  then the session is ${tellState(state)}, and nothing of this can come next:`,
    ...wrong.slice(0, 4).map(call => `  ${tellCall(call)}, where it should ${shouldHave(call, state)}`),
    ...open.slice(0, 4).map(call => `  ${tellCall(call)}`),
  ].join('\n')
}

/** Where two answers read the same in few words, the place where they differ. */
function shouldHave({ operation, outcome }: Call, state: State): string {
  const answer = answerOf(state, operation).outcome
  if (tellOutcome(answer) === tellOutcome(outcome)) return `have ${differenceOf(outcome, answer)}`
  return tellOutcome(answer)
    .replace(/^gave/, 'give')
    .replace(/^failed/, 'fail')
}
