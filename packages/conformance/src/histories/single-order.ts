import { createHash } from 'node:crypto'
import { answerOf, sameOutcome, type State } from './reference-model.js'
import type { Operation, Outcome } from './operations.js'

/*
 * A linearizability checker: searches for a single order of concurrent calls that is consistent with their results and
 * with real time. Algorithm of Wing and Gong, "Testing and verifying concurrent objects" (1993), with the cache of Lowe,
 * "Testing for linearizability" (2017). Revisions make the search short: nearly every write shows its own position.
 */

/** A call of a recorded history, on one session. */
export interface Call {
  /** The caller and the index of its call. A caller makes one call after the other. */
  readonly who: string
  readonly place: number
  readonly operation: Operation
  readonly outcome: Outcome
  /** Times of one clock, before and after the real call. */
  readonly began: number
  readonly ended: number
}

/** The result of an order, or its longest valid prefix. */
export interface Search {
  readonly found: boolean
  readonly state: State
  /** Calls in order. Calls of unknown outcome that did not happen are left over. */
  readonly order: readonly Call[]
  readonly left: readonly Call[]
}

/** Far more than the history of a correct store needs. */
const MOST_STEPS = 100_000

/** Searches for a single order of the calls that starts with the state. */
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
        // Tried last, since most did not happen, and never if it would change nothing.
        if (alters) next.push({ index, state: answer.state })
      } else if (sameOutcome(answer.outcome, call.outcome)) {
        // A call that fits here and changes no state can come now: there is nothing else to try.
        if (neverAlters(call)) return take(index, state)
        next.unshift({ index, state: answer.state })
      }
    }
    // A state without a choice is reached again only through an earlier choice, so it is not cached.
    if (next.length > 1 && !isNew(state)) return null
    for (const each of next) {
      const result = take(each.index, each.state)
      if (result !== null) return result
    }
    return null
  }

  function isNew(state: State): boolean {
    // Serializing a long session for every choice would use too much memory.
    const key = createHash('sha256')
      .update(`${done.map(Number).join('')} ${JSON.stringify(state)}`)
      .digest('base64')
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

/** Whether a call with this outcome changes no session in any state. */
function neverAlters({ operation: { method }, outcome }: Call): boolean {
  if (outcome.kind === 'failed') return true
  if (method === 'deleteSession') return outcome.kind === 'gave' && outcome.value === false
  return method !== 'changeSession' && method !== 'saveSession'
}

/** Whether one call must precede the other. A call of unknown outcome may happen at any later time. */
function precedes(a: Call, b: Call): boolean {
  if (a.outcome.kind === 'unknown') return false
  return a.who === b.who ? a.place < b.place : a.ended < b.began
}
