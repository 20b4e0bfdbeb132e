import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SessionStore, TurnstoreError } from '@turnstore/core'

interface Scheme {
  /** As a user writes it. */
  readonly form: string
  /** Loads the adapter only when it is asked for. */
  open(rest: string): Promise<SessionStore>
}

const schemes: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ['memory', { form: 'memory:', open: async () => new (await import('@turnstore/memory')).InMemorySessionStore() }],
  [
    'file',
    { form: 'file:DIR', open: async rest => new (await import('@turnstore/file')).FileSessionStore(folderOf(rest)) },
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
 * Opens the store that a URL names: `memory:`, `file:DIR`, `redis://HOST:PORT`, `rediss://HOST:PORT`,
 * `redis-cluster://HOST:PORT,HOST:PORT`. Close it when you are done.
 *
 * `file:` takes a path as it stands (`file:./sessions`, `file:~/my sessions`) or a URL (`file:///var/sessions`).
 *
 * @throws `INVALID_ARGUMENT`; the message does not repeat the URL, which may hold a password
 *
 * @example
 * const store = await openStore(process.env.TURNSTORE_URL ?? 'file:./sessions')
 */
export async function openStore(url: string): Promise<SessionStore> {
  const colon = url.indexOf(':')
  if (colon === -1) throw unusable(`A store is named by a URL, one of ${storeForms}; for a folder put file: before it`)
  const name = url.slice(0, colon).toLowerCase()
  const scheme = schemes.get(name)
  if (scheme === undefined) {
    const what = /^[a-z][a-z0-9+.-]{0,19}$/.test(name) ? `stores named by ${name}:` : 'this kind of store'
    throw unusable(`There is no adapter for ${what}; a store is one of ${storeForms}`)
  }
  return scheme.open(url.slice(colon + 1))
}

function folderOf(rest: string): string {
  if (rest === '') throw unusable('file: needs a folder, as in file:./sessions')
  if (rest.startsWith('~/')) return join(homedir(), rest.slice(2))
  if (!rest.startsWith('//')) return rest
  try {
    return fileURLToPath(`file:${rest}`)
  } catch {
    throw unusable('A URL that begins with file:// names an absolute path on this machine, as in file:///var/sessions')
  }
}

function unusable(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}
