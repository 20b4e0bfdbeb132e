import { checkMembers, checkStoreOptions, type StoreOptions } from '@turnstore/core/adapter'
import { checkPlace, type Place } from './place.js'
import { invalid } from './postgres-errors.js'
import { isPool, optionNames, type PostgresOptions, type PostgresPool } from './postgres-pool.js'

/** How the store reaches Postgres: a URL, options, or a pool of your own. */
export type PostgresConnection =
  | {
      /** `postgres://user:password@host:port/database`. */
      url: string
      /** Further options of the connection, which the URL does not have. */
      postgres?: PostgresOptions
      pool?: never
    }
  | { postgres: PostgresOptions; url?: never; pool?: never }
  | {
      /** A `Pool` of `pg` of your own, or anything of its shape. The store never closes it. */
      pool: PostgresPool
      url?: never
      postgres?: never
    }

export type PostgresSessionStoreOptions = StoreOptions &
  PostgresConnection & {
    /** The schema of the tables; default `public`. The first call creates it if it may. */
    schema?: string
    /** The start of the names of all tables, indexes and functions; default `turnstore_`. */
    prefix?: string
    /** Whether the first call creates missing tables, or upgrades old ones; default true. Otherwise it refuses them. */
    migrate?: boolean
  }

/** The options, checked and with defaults. */
export interface Settings {
  readonly target: Target
  readonly place: Place
  readonly migrate: boolean
}

/** What the store connects to, in one form for all options. */
export type Target =
  | { readonly kind: 'pool'; readonly pool: PostgresPool }
  | { readonly kind: 'server'; readonly url: string | undefined; readonly options: PostgresOptions }

/** @throws `INVALID_ARGUMENT`; no message repeats a URL or a password */
export function readOptions(options: PostgresSessionStoreOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('PostgresSessionStore takes options: { url }, { postgres } or { pool }')
  }
  if (isPool(options)) throw invalid('PostgresSessionStore takes a pool as { pool }')
  checkStoreOptions(options, ['url', 'postgres', 'pool', 'schema', 'prefix', 'migrate'])
  const { schema = 'public', prefix = 'turnstore_', migrate = true } = options
  if (typeof migrate !== 'boolean') throw invalid('options.migrate must be true or false')
  return { target: readTarget(options), place: checkPlace({ schema, prefix }), migrate }
}

function readTarget({ url, postgres, pool }: PostgresSessionStoreOptions): Target {
  if ((pool === undefined) === (url === undefined && postgres === undefined)) {
    throw invalid('PostgresSessionStore takes one of { url }, { postgres } and { pool }')
  }
  if (pool !== undefined) {
    if (!isPool(pool)) throw invalid('options.pool must be a Pool of pg, or have its method query')
    return { kind: 'pool', pool }
  }
  if (postgres !== undefined) checkMembers(postgres, 'options.postgres', optionNames)
  if (url === undefined) return { kind: 'server', url, options: { ...postgres } }
  checkUrl(url)
  refuseTwice(new URL(url), postgres)
  return { kind: 'server', url, options: { ...postgres } }
}

/** What a URL may ask for after `?`. Others would be ignored, or are settings of a session, which a pooler loses. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'application_name', 'host']

function checkUrl(url: unknown): void {
  if (typeof url !== 'string') throw invalid('options.url must be a string')
  if (!/^postgres(?:ql)?:\/\//i.test(url) || !URL.canParse(url)) {
    throw invalid(
      'options.url must have the form postgres://USER:PASSWORD@HOST:PORT/DATABASE; percent-encode ?, #, / and @ in a password',
    )
  }
  const { searchParams, hash } = new URL(url)
  if (hash !== '') throw invalid('options.url has a #; percent-encode it as %23')
  const unknown = [...searchParams.keys()].find(name => !PARAMETERS.includes(name))
  if (unknown !== undefined) {
    throw invalid(`options.url has an unknown parameter; the parameters are ${PARAMETERS.join(', ')}`)
  }
}

/** A setting in two places is refused: one of them would be ignored. */
function refuseTwice(
  { hostname, port, pathname, username, password, searchParams }: URL,
  options: PostgresOptions = {},
): void {
  const inUrl: readonly [keyof PostgresOptions, boolean][] = [
    ['host', hostname !== '' || searchParams.has('host')],
    ['port', port !== ''],
    ['database', pathname.length > 1],
    ['user', username !== ''],
    ['password', password !== ''],
    ['ssl', searchParams.has('sslmode')],
    ['application_name', searchParams.has('application_name')],
  ]
  const found = inUrl.find(([name, isThere]) => isThere && options[name] !== undefined)
  if (found !== undefined) throw invalid(`options.postgres.${found[0]} is also in options.url; leave one of them out`)
}
