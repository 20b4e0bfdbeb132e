import { differenceOf, fail } from '../checks/expect.js'
import { answerOf, type State } from './reference-model.js'
import type { Operation } from './operations.js'
import { type Call, findOrder, type Search } from './single-order.js'
import { tellCall, tellOutcome, tellState } from './tell-call.js'

/**
 * Asserts that the calls on one session are linearizable: one order explains all results. Returns the final state and
 * the calls of unknown outcome that did not happen.
 *
 * The failure names the call that fits nowhere and shows a minimal part of the history: up to the first contradictory
 * result, without unrelated reads.
 */
export function expectSingleOrder(calls: readonly Call[], initial: State = null): Search {
  const search = findOrder(initial, calls)
  return search.found ? search : fail(contradictionIn(smallest(calls, initial), initial))
}

/** After this time, a failure shows what it has. */
const SHRINK_MS = 5_000

/** A minimal part of an invalid history that is invalid by itself. */
function smallest(calls: readonly Call[], initial: State): readonly Call[] {
  const isWrong = (part: readonly Call[]): boolean => !findOrder(initial, part).found
  const deadline = performance.now() + SHRINK_MS
  const moments = calls
    .map(({ ended }) => ended)
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b)
  // An invalid history stays invalid with more results, so the first invalid moment can be found by bisection.
  let [low, high] = [0, moments.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isWrong(until(calls, moments[middle] ?? 0))) high = middle
    else low = middle + 1
  }
  let part = until(calls, moments[low] ?? 0)
  // Only a successful write can explain what others saw.
  for (const call of part.filter(({ operation, outcome }) => isRead(operation) || outcome.kind === 'failed')) {
    const without = part.filter(other => other !== call)
    if (performance.now() > deadline) break
    if (isWrong(without)) part = without
  }
  return part
}

/** The history at a moment: calls started by then. Those not finished have an unknown outcome. */
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

/** Whether a call can have started only after the other had finished. */
function isLaterOf(call: Call, other: Call): boolean {
  return call.who === other.who && call.place > other.place
}

function isRead({ method }: Operation): boolean {
  return method !== 'saveSession' && method !== 'changeSession' && method !== 'deleteSession'
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

/** The difference between two results whose short forms are equal. */
function shouldHave({ operation, outcome }: Call, state: State): string {
  const answer = answerOf(state, operation).outcome
  if (tellOutcome(answer) === tellOutcome(outcome)) return `have ${differenceOf(outcome, answer)}`
  return tellOutcome(answer)
    .replace(/^gave/, 'give')
    .replace(/^failed/, 'fail')
}
