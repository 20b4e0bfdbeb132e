import type { ChangeResult } from '@turnstore/core'
import type { ChangeCondition, CheckedChange } from '@turnstore/core/adapter'

/** The result of a change. 'decide' if the script left the decision to the client. */
export type ChangeOutcome = ChangeResult | 'missing' | 'elsewhere' | 'decide'

/** A change that waits to be sent with others. */
export interface WaitingChange {
  readonly change: CheckedChange
  readonly condition: ChangeCondition
  readonly deadline: number
}

interface Entry extends WaitingChange {
  readonly resolve: (outcome: ChangeOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * The most changes and items in one script (a single change may have more items), and the most scripts in flight for
 * one session. While the server runs one, the next is prepared here. The server recognizes a repeated script only among
 * the last 64 operations of a session, so few may be in flight.
 */
const MOST = { changes: 24, items: 512, scripts: 4 }

/** Batches changes: those of one session that this process makes in the same tick share a few scripts. */
export class ChangeQueue {
  readonly #send: (sessionId: string, batch: readonly WaitingChange[]) => Promise<readonly (ChangeOutcome | Error)[]>
  readonly #waiting = new Map<string, Entry[]>()

  /** @param send resolves to the outcomes of a batch, in its order */
  constructor(
    send: (sessionId: string, batch: readonly WaitingChange[]) => Promise<readonly (ChangeOutcome | Error)[]>,
  ) {
    this.#send = send
  }

  add(sessionId: string, waiting: WaitingChange): Promise<ChangeOutcome> {
    return new Promise((resolve, reject) => {
      const entry = { ...waiting, resolve, reject }
      const queue = this.#waiting.get(sessionId)
      if (queue !== undefined) {
        queue.push(entry)
        return
      }
      const started = [entry]
      this.#waiting.set(sessionId, started)
      // Changes made in the same tick join this batch.
      queueMicrotask(() => void this.#drain(sessionId, started))
    })
  }

  async #drain(sessionId: string, queue: Entry[]): Promise<void> {
    while (queue.length > 0) {
      const sent: Promise<void>[] = []
      while (queue.length > 0 && sent.length < MOST.scripts) {
        sent.push(this.#settle(sessionId, queue.splice(0, batchLength(queue))))
      }
      await Promise.all(sent)
    }
    this.#waiting.delete(sessionId)
  }

  async #settle(sessionId: string, batch: readonly Entry[]): Promise<void> {
    try {
      const outcomes = await this.#send(sessionId, batch)
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index] ?? 'decide'
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

/** The changes of one script settle together, so their deadlines must be close. */
const SPREAD_MS = 100

function batchLength(queue: readonly WaitingChange[]): number {
  if (queue.length === 1) return 1
  let items = 0
  const latest = (queue[0]?.deadline ?? 0) + SPREAD_MS
  const length = queue.findIndex(({ change, deadline }, index) => {
    items += change.appendTurns.length + change.appendAgentTransitions.length
    for (const { putToolCalls, putItems } of change.updateTurns) items += putToolCalls.length + putItems.length
    return index > 0 && (index === MOST.changes || items > MOST.items || deadline > latest)
  })
  return length === -1 ? queue.length : length
}
