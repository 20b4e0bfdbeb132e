import { isTurnstoreError, type Limits, type SessionStore, TurnstoreError } from '@turnstore/core'
import { quote, safeCause } from '@turnstore/core/adapter'

/** What an adapter may need to open a store. */
export interface AdapterOptions {
  /** Refuse a store that does not exist instead of creating it. */
  readonly mustExist: boolean
  /** Limits that differ from `defaultLimits` of `@turnstore/core`. */
  readonly limits?: Partial<Limits>
  /** How long a call may wait, in milliseconds. */
  readonly timeoutMs?: number
}

/** Opens a store. `rest`: what follows `scheme:` in the URL, unchanged. */
export type OpenAdapter = (rest: string, options: AdapterOptions) => SessionStore | Promise<SessionStore>

/** Functions that open stores, by the scheme of their URLs in lower case: `{ bucket: rest => … }` for `bucket:…`. */
export type Adapters = { readonly [scheme: string]: OpenAdapter }

const SCHEME = /^[a-z][a-z0-9+.-]{0,19}$/

export function isAdapters(value: unknown): value is Adapters {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([scheme, open]) => SCHEME.test(scheme) && typeof open === 'function')
  )
}

/** @throws `INVALID_ARGUMENT` */
export function checkAdapters(adapters: unknown): void {
  if (isAdapters(adapters)) return
  throw invalid('adapters must be an object of functions by scheme, such as { bucket: (rest, options) => store }')
}

/** Opens a store with an adapter of a third party, whose errors may quote the URL. */
export async function openWith(
  open: OpenAdapter,
  scheme: string,
  rest: string,
  options: AdapterOptions,
): Promise<SessionStore> {
  let store: unknown
  try {
    store = await open(rest, options)
  } catch (error) {
    if (isTurnstoreError(error)) throw error
    const cause = safeCause(error)
    throw new TurnstoreError('STORE_UNAVAILABLE', `The adapter for ${scheme}: URLs failed (${cause.message})`, {
      cause,
    })
  }
  if (!isStore(store)) throw invalid(`The adapter for ${quote(`${scheme}:`)} returned no session store`)
  return store
}

/** By its shape, since each installed copy of core has its own classes. */
function isStore(value: unknown): value is SessionStore {
  const methods = ['ready', 'close', 'loadSession', 'saveSession', 'changeSession', 'sessions']
  return (
    typeof value === 'object' && value !== null && methods.every(name => typeof Reflect.get(value, name) === 'function')
  )
}

function invalid(message: string): TurnstoreError {
  return new TurnstoreError('INVALID_ARGUMENT', message)
}
