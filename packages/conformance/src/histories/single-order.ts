import { createHash } from 'node:crypto'
import { answerOf, sameOutcome, type State } from './model.js'
import type { Operation, Outcome } from './operations.js'

/*
 * The search for a single order of concurrent calls, consistent with what each of them gave and with real time: Wing
 * and Gong, "Testing and verifying concurrent objects" (1993), with the memory of what was tried of Lowe, "Testing
 * for linearizability" (2017). What cuts the search short is the revision: nearly every write tells its own place.
 */

/** A call of a recorded history, on one session. */
export interface Call {
  /** The caller, and which of his calls it is: he makes one after the other. */
  readonly who: string
  readonly place: number
  readonly operation: Operation
  readonly outcome: Outcome
  /** Moments of one clock; the real call lies between the two. */
  readonly began: number
  readonly ended: number
}

/** Where an order leads, or how far the longest beginning of one goes. */
export interface Search {
  readonly found: boolean
  readonly state: State
  /** Calls in their order. Calls of unknown outcome that have not happened are left. */
  readonly order: readonly Call[]
  readonly left: readonly Call[]
}

/** Far above what the history of a right store takes. */
const MOST_STEPS = 100_000

/** Looks for a single order of the calls that begins with the state. */
export function findOrder(initial: State, calls: readonly Call[]): Search {
  const before = calls.map(call => calls.flatMap((other, index) => (precedes(other, call) ? [index] : [])))
  const tried = new Set<string>()
  const done = calls.map(() => false)
  const order: number[] = []
  let longest = { known: -1, search: searchAt(initial) }
  let steps = 0

  function searchAt(state: State): Search {
    const left = calls.filter((_, index) => done[index] === false)
    const found = left.every(({ outcome }) => outcome.kind === 'unknown')
    return { found, state, order: order.flatMap(index => calls[index] ?? []), left }
  }

  function visit(state: State): Search | null {
    const known = order.filter(index => calls[index]?.outcome.kind !== 'unknown').length
    if (known > longest.known) longest = { known, search: searchAt(state) }
    if (longest.search.found) return longest.search
    if (steps++ > MOST_STEPS) return null

    const next: { index: number; state: State }[] = []
    for (const [index, call] of calls.entries()) {
      if (done[index] === true || before[index]?.some(other => done[other] === false) === true) continue
      const answer = answerOf(state, call.operation)
      const alters = answer.state !== state
      if (call.outcome.kind === 'unknown') {
        // Last, since most have not happened; and never where it would alter nothing.
        if (alters) next.push({ index, state: answer.state })
      } else if (sameOutcome(answer.outcome, call.outcome)) {
        // What fits here and alters nothing anywhere can as well come now as later: there is nothing else to try.
        if (neverAlters(call)) return take(index, state)
        next.unshift({ index, state: answer.state })
      }
    }
    // What has no choice is not tried twice, unless what led to it was.
    if (next.length > 1 && !isNew(state)) return null
    for (const each of next) {
      const result = take(each.index, each.state)
      if (result !== null) return result
    }
    return null
  }

  function isNew(state: State): boolean {
    // A long session written out would fill the memory, as often as there is a choice.
    const key = createHash('sha256').update(`${done.map(Number).join('')} ${JSON.stringify(state)}`).digest('base64')
    return !tried.has(key) && Boolean(tried.add(key))
  }

  function take(index: number, state: State): Search | null {
    done[index] = true
    order.push(index)
    const result = visit(state)
    order.pop()
    done[index] = false
    return result
  }

  return visit(initial) ?? longest.search
}

/** Whether a call with this outcome leaves every session as it is. A change that gave what it found may not, elsewhere. */
function neverAlters({ operation: { method }, outcome }: Call): boolean {
  if (outcome.kind === 'failed') return true
  if (method === 'deleteSession') return outcome.kind === 'gave' && outcome.value === false
  return method !== 'changeSession' && method !== 'saveSession'
}

/** Whether one must come before the other. One of unknown outcome may happen at any later time. */
function precedes(a: Call, b: Call): boolean {
  if (a.outcome.kind === 'unknown') return false
  return a.who === b.who ? a.place < b.place : a.ended < b.began
}
