import type { ConnectionOptions } from 'node:tls'

/**
 * What the store needs of a pool: the shape of `Pool` of `pg`, which drivers for serverless platforms share. Each query
 * is a statement and a transaction of its own, on any connection.
 */
export interface PostgresPool {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
}

/** A statement whose result has rows, as all drivers return it. */
export type Row = Readonly<Record<string, unknown>>

/** Options of a connection, with the names of `pg`. */
export interface PostgresOptions {
  host?: string
  port?: number
  database?: string
  user?: string
  password?: string | (() => string | Promise<string>)
  ssl?: boolean | ConnectionOptions
  /** The most connections at once. Default: 10. */
  max?: number
  /** How long an idle connection stays open, in milliseconds. Default: 10,000. */
  idleTimeoutMillis?: number
  keepAlive?: boolean
  application_name?: string
}

export const optionNames: readonly (keyof PostgresOptions)[] = [
  'host',
  'port',
  'database',
  'user',
  'password',
  'ssl',
  'max',
  'idleTimeoutMillis',
  'keepAlive',
  'application_name',
]

export function isPool(value: unknown): value is PostgresPool {
  return typeof value === 'object' && value !== null && 'query' in value && typeof value.query === 'function'
}

/**
 * A pool emits the errors of idle connections. Without a listener they end the process. Returns a function that
 * unsubscribes.
 */
export function ignoreIdleErrors(pool: PostgresPool): () => void {
  const ignore = (): void => {}
  const on: unknown = Reflect.get(pool, 'on')
  if (typeof on !== 'function') return ignore
  Reflect.apply(on, pool, ['error', ignore])
  return () => {
    const off: unknown = Reflect.get(pool, 'removeListener')
    if (typeof off === 'function') Reflect.apply(off, pool, ['error', ignore])
  }
}
