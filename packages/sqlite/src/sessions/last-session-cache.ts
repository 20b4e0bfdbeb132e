import { inScope, type Scope } from '@turnstore/core/adapter'
import type { Connection, TransactionCache } from '../database/connection.js'
import { checkVersion } from '../tables/schema-version.js'
import type { Head } from './session-rows.js'

/**
 * Caches the head of the session that this handle changed last, so that appending turn after turn need not read it each
 * time. It is valid until another handle writes, which changes SQLite's `data_version`.
 */
export class LastSession implements TransactionCache {
  readonly #connection: Connection
  /** At the last transaction. Null before the first one, and for a shared handle. */
  #dataVersion: unknown = null
  #head: Head | null = null

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE` */
  check(): void {
    // Writes by the owner of a shared handle do not change the number.
    const dataVersion = this.#connection.isShared ? null : this.#connection.value('PRAGMA data_version')
    if (dataVersion !== null && dataVersion === this.#dataVersion) return
    this.forget()
    checkVersion(this.#connection)
    this.#dataVersion = dataVersion
  }

  forget(): void {
    this.#head = null
  }

  /** Null if another session is cached, or if this one is not in the scope. */
  head(sessionId: string, scope: Scope): Head | null {
    return this.#head?.sessionId === sessionId && inScope(this.#head, scope) ? this.#head : null
  }

  /** Every write calls it with the head that it leaves, or null. */
  keep(head: Head | null): void {
    this.#head = head
  }
}
