import type { SessionStore } from '@turnstore/core'
import type { ChildModule } from '../child/child-module.js'
import type { GroupName } from './group-name.js'

/** What the suite needs of a test runner; that of vitest, node:test, jest, Bun and Deno's bdd fits. */
export interface Runner {
  describe: (name: string, body: () => void) => unknown
  it: {
    (name: string, body: () => Promise<void>, timeoutMs?: number): unknown
    skip: (name: string, body: () => Promise<void>) => unknown
  }
}

/** What the suite needs to know of a store. */
export interface StoreSetup<Store extends SessionStore = SessionStore> {
  /** The name of the store, as it stands over the cases. */
  name: string
  /** A fresh, empty, isolated store with default limits. Called once a case. */
  open: () => Store | Promise<Store>
  /** A second, independent handle on the same data; required unless `capabilities.sharing` is `process`. */
  reopen?: (store: Store) => Store | Promise<Store>
  /** How a child process opens the same data; required where `capabilities.sharing` is `host` or `network`. */
  child?: (store: Store) => ChildModule | Promise<ChildModule>
  /** Removes what is left of a store. Its handles are closed already. */
  destroy?: (store: Store) => unknown
  /**
   * Ways to damage the stored data of a session from outside the store, by name; each must make it unreadable
   * (`CORRUPT_SESSION`). Name one for each kind of data that the store keeps: a broken row, a missing key, a cut file.
   */
  damages?: Readonly<Record<string, (store: Store, sessionId: string) => unknown>>
  /** Only these groups; default all. */
  groups?: readonly GroupName[]
  /** Larger sizes and more random runs: minutes instead of seconds. */
  thorough?: boolean
  /** Repeats the random cases of a run that failed; the failure names it. */
  seed?: number
}

/** The same with the `describe` and `it` of a test runner. */
export interface SessionStoreSetup<Store extends SessionStore = SessionStore> extends StoreSetup<Store>, Runner {}

/** The setup does not fit: told before any case has run. */
export class SetupError extends TypeError {
  override readonly name = 'SetupError'
}
