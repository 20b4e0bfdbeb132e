import { randomBytes } from 'node:crypto'

/**
 * Gives each operation of a session a token. Operations that run at the same time are in different lanes, and in a lane
 * the numbers rise. So a script needs to remember only the last operation of each lane: an earlier one that arrives again
 * has settled long ago.
 */
export class OperationLanes {
  /** No other store has it, in this process or another. */
  readonly #origin = randomBytes(8).toString('base64url')
  readonly #busy = new Map<string, Set<number>>()
  #operations = 0

  /** @param run until it settles, no other operation of the session has its lane */
  async run<T>(session: string, run: (token: string) => Promise<T>): Promise<T> {
    const busy = this.#busy.get(session) ?? new Set()
    let lane = 0
    while (busy.has(lane)) lane++
    this.#busy.set(session, busy.add(lane))
    try {
      // The origin has a fixed length, so no two lanes have one name.
      return await run(`${this.#origin}${lane}:${++this.#operations}`)
    } finally {
      busy.delete(lane)
      if (busy.size === 0) this.#busy.delete(session)
    }
  }
}
