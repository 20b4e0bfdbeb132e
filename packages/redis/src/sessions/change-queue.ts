import type { ChangeResult } from '@turnstore/core'
import type { ChangeCondition, CheckedChange } from '@turnstore/core/adapter'

/** The result of an append. 'decide' if the script left the decision to the client. */
export type AppendOutcome = ChangeResult | 'missing' | 'elsewhere' | 'decide'

/** An append that waits to be sent with others. */
export interface WaitingAppend {
  readonly change: CheckedChange
  readonly condition: ChangeCondition
  readonly deadline: number
}

interface Entry extends WaitingAppend {
  readonly resolve: (outcome: AppendOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * The most appends and turns in one script (a single append may have more turns), and the most scripts in flight for
 * one session. While the server runs one, the next is prepared here. The server recognizes a repeated script only among
 * the last 64 operations of a session, so few may be in flight.
 */
const MOST = { appends: 24, turns: 512, scripts: 4 }

/** Batches appends: those to one session that this process makes in the same tick share a few scripts. */
export class AppendQueue {
  readonly #send: (sessionId: string, batch: readonly WaitingAppend[]) => Promise<readonly AppendOutcome[]>
  readonly #waiting = new Map<string, Entry[]>()

  /** @param send resolves to the outcomes of a batch, in its order */
  constructor(send: (sessionId: string, batch: readonly WaitingAppend[]) => Promise<readonly AppendOutcome[]>) {
    this.#send = send
  }

  add(sessionId: string, append: WaitingAppend): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      const entry = { ...append, resolve, reject }
      const waiting = this.#waiting.get(sessionId)
      if (waiting !== undefined) {
        waiting.push(entry)
        return
      }
      const queue = [entry]
      this.#waiting.set(sessionId, queue)
      // Appends made in the same tick join this batch.
      queueMicrotask(() => void this.#drain(sessionId, queue))
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
      for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] ?? 'decide')
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

/** The appends of one script settle together, so their deadlines must be close. */
const SPREAD_MS = 100

function batchLength(queue: readonly WaitingAppend[]): number {
  let turns = 0
  const latest = (queue[0]?.deadline ?? 0) + SPREAD_MS
  const length = queue.findIndex(({ change, deadline }, index) => {
    turns += change.appendTurns.length + change.appendAgentTransitions.length
    return index > 0 && (index === MOST.appends || turns > MOST.turns || deadline > latest)
  })
  return length === -1 ? queue.length : length
}
