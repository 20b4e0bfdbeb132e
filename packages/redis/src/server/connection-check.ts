import { isForbidden, unusable } from './redis-errors.js'
import type { Call, ServerConnection } from './server-connection.js'
import { parseClientInfo } from './server-replies.js'
import type { Target } from './store-options.js'

/**
 * Compares the database and the user in the options with those that CLIENT INFO reports. Where CLIENT INFO is not
 * allowed, the replies to SELECT and AUTH have to do: without them there is no connection.
 * @throws `STORE_UNAVAILABLE` if a setting has not taken effect
 */
export async function checkConnection(connection: ServerConnection, target: Target, call: Call): Promise<void> {
  const expected = expectedOf(target)
  if (expected === null) return
  const info = parseClientInfo(await connection.ask('client', ['info'], call, isForbidden))
  const [db, user] = [info.get('db'), info.get('user')]
  if (expected.db !== undefined && db !== undefined && Number(db) !== expected.db) {
    throw unusable(
      `The connection is in database ${Number(db)}, but the options ask for ${expected.db}; check the proxies in between`,
    )
  }
  if (expected.user !== undefined && user !== undefined && user !== expected.user) {
    throw unusable('The connection has another Redis user than the options ask for; check the proxies in between')
  }
}

/** Null for a Cluster: it has one database, and its nodes refuse unknown users. */
function expectedOf(target: Target): { readonly db?: number; readonly user?: string } | null {
  if (target.kind === 'cluster') return null
  if (target.kind === 'server') {
    const { db = 0, username, password } = target.options
    const user = username ?? (password ? 'default' : undefined)
    return { db, ...(user !== undefined && { user }) }
  }
  // A client of the caller's may have selected another database since. If its SELECT failed, it is in database 0.
  const db: unknown = Reflect.get(target.client.options, 'db')
  return target.client.isCluster || typeof db !== 'number' || db === 0 ? null : { db }
}
