import { isTurnstoreError, type ScopeOptions, type SessionStore } from '@turnstore/core'
import { type Cli, messageOf } from './cli.js'

/** The ids of all sessions, page by page, the oldest first. Those that cannot be read are told. */
export async function* sessionIds(cli: Cli, store: SessionStore, scope: ScopeOptions): AsyncGenerator<string> {
  try {
    for await (const { sessionId } of store.sessions({ ...scope, orderBy: 'createdAt', order: 'asc' })) yield sessionId
  } catch (error) {
    const isDamage = isTurnstoreError(error, 'CORRUPT_SESSION') || isTurnstoreError(error, 'SCHEMA_TOO_NEW')
    if (!isDamage) throw error
    cli.fail(messageOf(error))
  }
}
