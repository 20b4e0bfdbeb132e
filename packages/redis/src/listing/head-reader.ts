import type { Keyspace } from '../format/keyspace.js'
import { HEAD_FIELDS } from '../format/session-head.js'
import { readTextsOrNull, UnexpectedReply } from '../server/redis-client.js'
import type { Call, ServerConnection } from '../server/server-connection.js'

/** The fields of a head, and behind them the last element of the list of turns. */
export type HeadFields = (string | null)[]

/** The most attempts to read a head and its last turn at one moment while others write. */
const ATTEMPTS = 5

/** Reads heads with their last turns, for `decodeFields`. */
export class HeadReader {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace

  constructor(connection: ServerConnection, keyspace: Keyspace) {
    this.#connection = connection
    this.#keyspace = keyspace
  }

  /** In one transaction, on one server. */
  async readTogether(sessionIds: readonly string[], call: Call): Promise<HeadFields[]> {
    const replies = await this.#connection.sendTogether(
      sessionIds.flatMap(id => this.#commands(id)),
      call,
    )
    return sessionIds.map((_, index) => [...readTextsOrNull(replies[2 * index]), readElement(replies[2 * index + 1])])
  }

  /** Without a transaction, which a full server refuses. */
  async readOne(sessionId: string, call: Call): Promise<HeadFields> {
    const [heads, turns] = this.#commands(sessionId)
    for (let attempt = 1; ; attempt++) {
      const [fields, element, again] = await Promise.all([
        this.#connection.send('hmget', heads.slice(1), call),
        this.#connection.send('lindex', turns.slice(1), call),
        this.#connection.send('hmget', heads.slice(1, 3), call),
      ])
      const [state] = readTextsOrNull(again)
      const found = readTextsOrNull(fields)
      // The state changes with every write.
      if (found[0] === state || attempt === ATTEMPTS) return [...found, readElement(element)]
    }
  }

  #commands(sessionId: string): [heads: string[], turns: [string, string, number]] {
    const [head, turns] = this.#keyspace.session(sessionId)
    return [
      ['hmget', head, ...HEAD_FIELDS],
      ['lindex', turns, -1],
    ]
  }
}

function readElement(reply: unknown): string | null {
  if (reply === null || typeof reply === 'string') return reply
  throw new UnexpectedReply()
}
