import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Limits, type SessionStore, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import { type AdapterOptions, type Adapters, checkAdapters, openWith } from './adapters.js'

interface Scheme {
  /** The form of the URL, for messages. */
  readonly form: string
  /** Imports the adapter and opens the store. */
  open(rest: string, options: AdapterOptions): Promise<SessionStore>
}

export interface OpenOptions {
  /** Refuse a folder or database that does not exist instead of creating it. Default: false. */
  mustExist?: boolean
  /** Limits of the store that differ from `defaultLimits` of `@turnstore/core`. */
  limits?: Partial<Limits>
  /** How long a call waits for other writers or for a server, in milliseconds. Default: 10,000. */
  timeoutMs?: number
  /** Stores of your own by scheme. They take precedence over the built-in ones. */
  adapters?: Adapters
}

const schemes: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  [
    'memory',
    {
      form: 'memory:',
      open: async (rest, { mustExist: _mustExist, ...options }) => {
        if (rest !== '')
          throw unusable('memory: takes nothing after the colon; use file: for a folder and sqlite: for a database')
        return new (await import('@turnstore/memory')).InMemorySessionStore(options)
      },
    },
  ],
  [
    'file',
    {
      form: 'file:DIR',
      open: async (rest, { mustExist, ...options }) => {
        const path = pathOf('file', rest, 'a folder, such as file:./sessions')
        if (mustExist && isMissing(path)) throw unusable(`The folder ${quote(path)} does not exist`)
        return new (await import('@turnstore/file')).FileSessionStore(path, options)
      },
    },
  ],
  [
    'sqlite',
    {
      form: 'sqlite:FILE',
      open: async (rest, { mustExist, ...options }) => {
        const path = rest === ':memory:' ? rest : sqlitePath(rest)
        if (mustExist && isMissing(path)) throw unusable(`The database ${quote(path)} does not exist`)
        return new (await import('@turnstore/sqlite')).SqliteSessionStore(path, options)
      },
    },
  ],
  ['redis', redisScheme('redis', 'HOST:PORT')],
  ['rediss', redisScheme('rediss', 'HOST:PORT')],
  ['redis-cluster', redisScheme('redis-cluster', 'HOST:PORT,HOST:PORT')],
  ['postgres', postgresScheme('postgres')],
  ['postgresql', postgresScheme('postgresql')],
])

function redisScheme(name: string, hosts: string): Scheme {
  return {
    form: `${name}://${hosts}`,
    open: async (rest, { mustExist: _mustExist, ...options }) =>
      new (await import('@turnstore/redis')).RedisSessionStore({ url: `${name}:${rest}`, ...options }),
  }
}

function postgresScheme(name: string): Scheme {
  return {
    form: 'postgres://HOST/DATABASE',
    open: async (rest, { mustExist, ...options }) => {
      const { url, ...place } = withoutPlace(`${name}:${rest}`)
      const { PostgresSessionStore } = await import('@turnstore/postgres')
      return new PostgresSessionStore({ url, ...place, migrate: !mustExist, ...options })
    },
  }
}

/** Takes the parameters `schema` and `prefix`, which are the store's, off a URL. */
function withoutPlace(text: string): { url: string; schema?: string; prefix?: string } {
  if (!URL.canParse(text)) return { url: text }
  const url = new URL(text)
  const place: { schema?: string; prefix?: string } = {}
  for (const name of ['schema', 'prefix'] as const) {
    const [value, ...others] = url.searchParams.getAll(name)
    if (others.length > 0) throw unusable(`The store URL has ${name} twice`)
    if (value !== undefined) place[name] = value
    url.searchParams.delete(name)
  }
  return { url: url.href, ...place }
}

/** The forms of URL that {@link openStore} accepts. */
export const storeForms: string = [...new Set([...schemes.values()].map(({ form }) => form))].join(', ')

/**
 * Opens the store at a URL: `memory:`, `file:DIR`, `sqlite:FILE`, `redis://HOST:PORT`, `rediss://HOST:PORT`,
 * `redis-cluster://HOST:PORT,HOST:PORT`, `postgres://HOST/DATABASE` (with `?schema=` and `?prefix=`). Imports only the adapter that it needs. Close the store when you are done.
 *
 * `file:` and `sqlite:` take a plain path (`file:./sessions`, `sqlite:~/my sessions.db`) or a percent-encoded absolute
 * path (`file:///var/sessions`). Names with `?` or `#` need the second form, with `%3F` and `%23`. Parts of a URL that
 * the store does not support are refused: a query, a fragment, a path after `memory:`.
 *
 * @throws `INVALID_ARGUMENT`; the message never contains the URL, which may include a password. `STORE_UNAVAILABLE` if
 *   an adapter of yours fails with an error of its own.
 *
 * @example
 * const store = await openStore(process.env.TURNSTORE_URL ?? 'sqlite:./sessions.db')
 *
 * @example
 * const adapters = { bucket: (rest, options) => new BucketSessionStore(rest, options) }
 * const store = await openStore('bucket:eu-west/sessions', { adapters })
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<SessionStore> {
  if (typeof url !== 'string') throw unusable('The store URL must be a string')
  checkOptions(options)
  const colon = url.indexOf(':')
  if (colon === -1)
    throw unusable(
      `A store URL has one of the forms ${storeForms}; put file: before a folder and sqlite: before a database`,
    )
  const name = url.slice(0, colon).toLowerCase()
  const { adapters = {}, ...given } = options
  const adapterOptions = { mustExist: false, ...given }
  const own = Object.hasOwn(adapters, name) ? adapters[name] : undefined
  if (own !== undefined) return openWith(own, name, url.slice(colon + 1), adapterOptions)
  const scheme = schemes.get(name)
  if (scheme === undefined) {
    const what = /^[a-z][a-z0-9+.-]{0,19}$/.test(name) ? `${name}: URLs` : 'this URL'
    const others = Object.keys(adapters).map(own => `, ${own}:`)
    throw unusable(`There is no adapter for ${what}; use one of ${storeForms}${others.join('')}`)
  }
  return scheme.open(url.slice(colon + 1), adapterOptions)
}

const optionNames = ['mustExist', 'limits', 'timeoutMs', 'adapters']

/** Otherwise a misspelt option would be ignored. The store checks the values of `limits` and `timeoutMs`. */
function checkOptions(options: OpenOptions): void {
  if (typeof options !== 'object' || options === null) throw unusable('openStore options must be an object')
  const unknown = Reflect.ownKeys(options).find(name => !optionNames.includes(String(name)))
  if (unknown !== undefined) {
    throw unusable(`Unknown openStore option ${quote(String(unknown))}; the options are ${optionNames.join(', ')}`)
  }
  const { mustExist, adapters } = options
  if (mustExist !== undefined && typeof mustExist !== 'boolean') throw unusable('mustExist must be true or false')
  if (adapters !== undefined) checkAdapters(adapters)
}

function sqlitePath(rest: string): string {
  return pathOf('sqlite', rest, 'a file, such as sqlite:./sessions.db')
}

/** The path of a SQLite database at a URL; null for another store, or one in memory. @throws `INVALID_ARGUMENT` */
export function databaseIn(url: string): string | null {
  const [, rest] = /^sqlite:(.*)$/is.exec(url) ?? []
  return rest === undefined || rest === ':memory:' ? null : sqlitePath(rest)
}

function pathOf(scheme: string, rest: string, what: string): string {
  if (rest === '') throw unusable(`${scheme}: needs ${what}`)
  // In a URL, ? and # end the path. As part of a plain path, an intended option would become part of a file name.
  if (/[?#]/.test(rest)) {
    throw unusable(
      `${scheme}: takes no options; if a name contains ? or #, use an absolute path with %3F or %23, such as ${scheme}:///var/what%3F`,
    )
  }
  if (rest.startsWith('~/')) return join(homedir(), rest.slice(2))
  if (!rest.startsWith('//')) return rest
  try {
    return fileURLToPath(`file:${rest}`)
  } catch {
    throw unusable(
      `A URL that starts with ${scheme}:// needs an absolute path on this machine, such as ${scheme}:///var/sessions`,
    )
  }
}

/** A path that cannot be inspected may exist: opening the store then reports the reason. */
function isMissing(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined
  } catch {
    return false
  }
}

function unusable(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}
