import type { SessionStore } from '@turnstore/core'
import type { ChildModule } from '../child/child-module.js'
import type { GroupName } from './group-name.js'

/** The part of a test runner that the suite uses. vitest, node:test, jest, Bun and Deno's bdd provide it. */
export interface Runner {
  describe: (name: string, body: () => void) => unknown
  it: {
    (name: string, body: () => Promise<void>, timeoutMs?: number): unknown
    skip: (name: string, body: () => Promise<void>) => unknown
  }
}

/** Describes a store to the suite. */
export interface StoreSetup<Store extends SessionStore = SessionStore> {
  /** The name of the store, used as the title of the cases. */
  name: string
  /** Returns a fresh, empty, isolated store with default limits. Called once per case. */
  open: () => Store | Promise<Store>
  /** Returns a second, independent handle on the same data. Required unless `capabilities.sharing` is `process`. */
  reopen?: (store: Store) => Store | Promise<Store>
  /** How a child process opens the same data. Required if `capabilities.sharing` is `host` or `network`. */
  child?: (store: Store) => ChildModule | Promise<ChildModule>
  /** Removes the data of a store. Its handles are closed already. */
  destroy?: (store: Store) => unknown
  /**
   * Named functions that damage the stored data of a session from outside the store. Each must make it unreadable
   * (`CORRUPT_SESSION`). Provide one for each kind of data: a broken row, a missing key, a truncated file.
   */
  damages?: Readonly<Record<string, (store: Store, sessionId: string) => unknown>>
  /** Run only these groups. Default: all. */
  groups?: readonly GroupName[]
  /** Use larger sizes and more random runs: minutes instead of seconds. */
  thorough?: boolean
  /** Repeats the random cases of a failed run. The failure shows it. */
  seed?: number
}

/** A setup with the `describe` and `it` of a test runner. */
export interface SessionStoreSetup<Store extends SessionStore = SessionStore> extends StoreSetup<Store>, Runner {}

/** The setup is invalid. Thrown before any case runs. */
export class SetupError extends TypeError {
  override readonly name = 'SetupError'
}
