import type { ChangeResult } from '@turnstore/core'
import type { Condition, NormalChange } from '@turnstore/core/adapter'

/** What an append came to; 'decide' where the script left it to the client. */
export type AppendOutcome = ChangeResult | 'missing' | 'decide'

/** An append that waits to be sent with the others that wait at the same moment. */
export interface WaitingAppend {
  readonly change: NormalChange
  readonly condition: Condition
  readonly deadline: number
}

interface Entry extends WaitingAppend {
  readonly resolve: (outcome: AppendOutcome) => void
  readonly reject: (error: unknown) => void
}

/**
 * Appends and turns that one script carries out, or one append with more; and scripts for a session that are on their
 * way at once. While the server carries out one, the next is put together here. They are few, since the server keeps
 * the results of the last 64 operations of a session, by which it knows a script that comes twice.
 */
const MOST = { appends: 24, turns: 512, scripts: 4 }

/** The appends of sessions by this process: those of one session that wait at the same moment share a few scripts. */
export class AppendQueue {
  readonly #send: (sessionId: string, batch: readonly WaitingAppend[]) => Promise<readonly AppendOutcome[]>
  readonly #waiting = new Map<string, Entry[]>()

  /** @param send gives an outcome for each of a batch, in its order */
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
      // Whoever calls in the same moment is sent along.
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

/** What a script carries out together settles together, so it must have about the same time left. */
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
