import { inScope, type Scope } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { checkVersion } from '../tables/schema-version.js'
import type { Head } from './session-rows.js'

/**
 * The session that this handle changed last, as it stands since then: who appends turn after turn need not read it
 * anew for each. It holds as long as nobody else has written. SQLite tells that by a number, and by the same whether
 * the pages that it has in memory hold.
 */
export class LastSession {
  readonly #connection: Connection
  /** The number, as of the last transaction; null before the first one, and where it does not tell. */
  #dataVersion: unknown = null
  #known: { readonly sessionId: string; readonly head: Head } | null = null

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** To be called first in every transaction. @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE` */
  check(): void {
    // What the owner of a lent handle writes with it does not count as somebody else's.
    const dataVersion = this.#connection.isLent ? null : this.#connection.value('PRAGMA data_version')
    if (dataVersion !== null && dataVersion === this.#dataVersion) return
    this.forget()
    checkVersion(this.#connection)
    this.#dataVersion = dataVersion
  }

  /** Null where it is another session, or not in the scope. */
  head(sessionId: string, scope: Scope): Head | null {
    return this.#known?.sessionId === sessionId && inScope(this.#known.head, scope) ? this.#known.head : null
  }

  isNow(sessionId: string, head: Head): void {
    this.#known = { sessionId, head }
  }

  /** Before anything else than a change, and where a transaction came to nothing. */
  forget(): void {
    this.#known = null
  }
}
