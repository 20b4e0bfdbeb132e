import type { ScopeOptions, SessionStore } from '@turnstore/core'
import { isDamage } from '@turnstore/core/adapter'
import { type Cli, messageOf } from './cli.js'

/** The ids of all sessions, page by page, oldest first. Reports damaged sessions. */
export async function* sessionIds(cli: Cli, store: SessionStore, scope: ScopeOptions): AsyncGenerator<string> {
  try {
    for await (const { sessionId } of store.sessions({ ...scope, orderBy: 'createdAt', order: 'asc' })) yield sessionId
  } catch (error) {
    if (!isDamage(error)) throw error
    cli.fail(messageOf(error))
  }
}
