import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SessionStore, TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'

interface Scheme {
  /** As a user writes it. */
  readonly form: string
  /** Loads the adapter only when it is asked for. */
  open(rest: string, options: OpenOptions): Promise<SessionStore>
}

export interface OpenOptions {
  /** Refuse a folder or a database that is not there: for whoever only reads or deletes, its name is misspelt. */
  mustExist?: boolean
}

const schemes: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  [
    'memory',
    {
      form: 'memory:',
      open: async rest => {
        if (rest !== '') throw unusable('memory: takes nothing after the colon; for a folder use file:, for a database sqlite:')
        return new (await import('@turnstore/memory')).InMemorySessionStore()
      },
    },
  ],
  [
    'file',
    {
      form: 'file:DIR',
      open: async (rest, { mustExist = false }) => {
        const path = pathOf('file', rest, 'a folder, as in file:./sessions')
        if (mustExist && isMissing(path)) throw unusable(`There is no folder ${quote(path)}`)
        return new (await import('@turnstore/file')).FileSessionStore(path)
      },
    },
  ],
  [
    'sqlite',
    {
      form: 'sqlite:FILE',
      open: async (rest, { mustExist = false }) => {
        const path = rest === ':memory:' ? rest : pathOf('sqlite', rest, 'a file, as in sqlite:./sessions.db')
        if (mustExist && isMissing(path)) throw unusable(`There is no database ${quote(path)}`)
        return new (await import('@turnstore/sqlite')).SqliteSessionStore(path)
      },
    },
  ],
  ['redis', redisScheme('redis', 'HOST:PORT')],
  ['rediss', redisScheme('rediss', 'HOST:PORT')],
  ['redis-cluster', redisScheme('redis-cluster', 'HOST:PORT,HOST:PORT')],
])

function redisScheme(name: string, hosts: string): Scheme {
  return {
    form: `${name}://${hosts}`,
    open: async rest => new (await import('@turnstore/redis')).RedisSessionStore({ url: `${name}:${rest}` }),
  }
}

/** The forms of URL that {@link openStore} takes. */
export const storeForms: string = [...schemes.values()].map(({ form }) => form).join(', ')

/**
 * Opens the store that a URL names: `memory:`, `file:DIR`, `sqlite:FILE`, `redis://HOST:PORT`, `rediss://HOST:PORT`,
 * `redis-cluster://HOST:PORT,HOST:PORT`. Close it when you are done.
 *
 * `file:` and `sqlite:` take a path as it stands (`file:./sessions`, `sqlite:~/my sessions.db`) or as in a URL
 * (`file:///var/sessions`). There, and only there, the name of a file can have `?` and `#`, as `%3F` and `%23`. What a URL
 * says and its store does not understand is refused: a query, a fragment, a path after `memory:`.
 *
 * @throws `INVALID_ARGUMENT`; the message does not repeat the URL, which may hold a password
 *
 * @example
 * const store = await openStore(process.env.TURNSTORE_URL ?? 'sqlite:./sessions.db')
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<SessionStore> {
  if (typeof url !== 'string') throw unusable('The URL of a store must be a string')
  checkOptions(options)
  const colon = url.indexOf(':')
  if (colon === -1) throw unusable(`A store is named by a URL, one of ${storeForms}; for a folder put file: before it, for a database sqlite:`)
  const name = url.slice(0, colon).toLowerCase()
  const scheme = schemes.get(name)
  if (scheme === undefined) {
    const what = /^[a-z][a-z0-9+.-]{0,19}$/.test(name) ? `stores named by ${name}:` : 'this kind of store'
    throw unusable(`There is no adapter for ${what}; a store is one of ${storeForms}`)
  }
  return scheme.open(url.slice(colon + 1), options)
}

/** A misspelt one would be lost. */
function checkOptions(options: OpenOptions): void {
  if (typeof options !== 'object' || options === null) throw unusable('The options of openStore must be an object')
  const unknown = Reflect.ownKeys(options).find(name => name !== 'mustExist')
  if (unknown !== undefined) throw unusable(`openStore has no option ${quote(String(unknown))}; it takes mustExist`)
  const { mustExist } = options
  if (mustExist !== undefined && typeof mustExist !== 'boolean') throw unusable('mustExist must be true or false')
}

function pathOf(scheme: string, rest: string, what: string): string {
  if (rest === '') throw unusable(`${scheme}: needs ${what}`)
  // A URL ends there: what follows would be lost, or become a part of the name of a new file.
  if (/[?#]/.test(rest)) {
    throw unusable(
      `${scheme}: takes no options; where ? or # is in the name, give the whole path and write %3F or %23, as in ${scheme}:///var/what%3F`,
    )
  }
  if (rest.startsWith('~/')) return join(homedir(), rest.slice(2))
  if (!rest.startsWith('//')) return rest
  try {
    return fileURLToPath(`file:${rest}`)
  } catch {
    throw unusable(`A URL that begins with ${scheme}:// names an absolute path on this machine, as in ${scheme}:///var/sessions`)
  }
}

/** What may not be looked at may be there: the store then says why it cannot be opened. */
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
