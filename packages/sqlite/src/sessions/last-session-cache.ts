import { inScope, type Scope } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { checkVersion } from '../tables/schema-version.js'
import type { Head } from './session-rows.js'

/**
 * Caches the head of the session that this handle changed last, so that appending turn after turn need not read it each
 * time. It is valid until another handle writes, which changes SQLite's `data_version`.
 */
export class LastSession {
  readonly #connection: Connection
  /** At the last transaction. Null before the first one, and for a shared handle. */
  #dataVersion: unknown = null
  #known: { readonly sessionId: string; readonly head: Head } | null = null

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Call it first in every transaction. @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE` */
  check(): void {
    // Writes by the owner of a shared handle do not change the number.
    const dataVersion = this.#connection.isShared ? null : this.#connection.value('PRAGMA data_version')
    if (dataVersion !== null && dataVersion === this.#dataVersion) return
    this.forget()
    checkVersion(this.#connection)
    this.#dataVersion = dataVersion
  }

  /** Null if another session is cached, or if this one is not in the scope. */
  head(sessionId: string, scope: Scope): Head | null {
    return this.#known?.sessionId === sessionId && inScope(this.#known.head, scope) ? this.#known.head : null
  }

  remember(sessionId: string, head: Head): void {
    this.#known = { sessionId, head }
  }

  /** Call it before a save or a delete, and after a rollback. */
  forget(): void {
    this.#known = null
  }
}
