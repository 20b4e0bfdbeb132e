import { Pool } from 'pg'
import { Database } from './database.js'
import { unusable } from './postgres-errors.js'
import type { Target } from './store-options.js'

/** Connects when the first statement runs. @throws `STORE_UNAVAILABLE` if a file that the URL names cannot be read */
export function createDatabase(target: Target, timeoutMs: number): Database {
  if (target.kind === 'pool') return new Database(target.pool, null, timeoutMs)
  const pool = newPool(target, timeoutMs)
  return new Database(pool, () => pool.end(), timeoutMs)
}

function newPool({ url, options }: Target & { kind: 'server' }, timeoutMs: number): Pool {
  try {
    return new Pool({
      application_name: 'turnstore',
      keepAlive: true,
      ...options,
      ...(url !== undefined && { connectionString: url }),
      connectionTimeoutMillis: timeoutMs,
      // A connection without an answer is closed, or it would be in the pool forever.
      query_timeout: timeoutMs,
    })
  } catch {
    // The error may quote the URL.
    throw unusable('pg cannot use the URL; check the files that its parameters name')
  }
}
