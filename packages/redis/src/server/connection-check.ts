import { TurnstoreError } from '@turnstore/core'
import type { Call, ServerConnection } from './server-connection.js'
import type { Target } from './store-options.js'
import { isForbidden } from './redis-errors.js'
import { parseClientInfo } from './server-replies.js'

/**
 * Compares what the options ask for with what the server says of the connection: its database and its user. A server
 * that does not say is taken at its word: it has answered SELECT and AUTH without an error, or there is no connection.
 * @throws `STORE_UNAVAILABLE` where a setting has not taken effect
 */
export async function checkConnection(connection: ServerConnection, target: Target, call: Call): Promise<void> {
  const asked = askedOf(target)
  if (asked === null) return
  const info = parseClientInfo(await connection.ask('client', ['info'], call, isForbidden))
  const [db, user] = [info.get('db'), info.get('user')]
  if (asked.db !== undefined && db !== undefined && Number(db) !== asked.db) {
    throw unusable(`The connection is in database ${Number(db)}, and the options ask for ${asked.db}; look at what is between`)
  }
  if (asked.user !== undefined && user !== undefined && user !== asked.user) {
    throw unusable('The connection is that of another Redis user than the options ask for; look at what is between')
  }
}

/** Null where nothing is to be compared: a Cluster has one database, and the nodes refuse users that they do not know. */
function askedOf(target: Target): { readonly db?: number; readonly user?: string } | null {
  if (target.kind === 'cluster') return null
  if (target.kind === 'server') {
    const { db = 0, username, password } = target.options
    const user = username ?? (password ? 'default' : undefined)
    return { db, ...(user !== undefined && { user }) }
  }
  // The caller may have selected another since. What ioredis does where that fails is to stay in database 0.
  const db: unknown = Reflect.get(target.client.options, 'db')
  return target.client.isCluster || typeof db !== 'number' || db === 0 ? null : { db }
}

function unusable(message: string): TurnstoreError {
  return new TurnstoreError('STORE_UNAVAILABLE', message)
}
