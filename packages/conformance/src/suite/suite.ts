import type { Capabilities, SessionStore } from '@turnstore/core'
import { AROUND_MS, type Case, casesOf, limited } from '../cases/cases.js'
import type { GroupName } from '../cases/group-name.js'
import { groups } from './all-groups.js'
import { type SessionStoreSetup, SetupError, type StoreSetup } from '../cases/setup.js'

/**
 * Defines the cases of the suite with the `describe` and `it` of a test runner. Await it: it opens a store first, to read
 * its `capabilities`.
 *
 * @throws if a part of the setup is missing or invalid, such as one that a declared capability needs
 *
 * @example
 * import { describe, it } from 'vitest'
 *
 * await sessionStoreSuite({ describe, it, name: 'MyStore', open: () => new MyStore() })
 */
export async function sessionStoreSuite<Store extends SessionStore>(setup: SessionStoreSetup<Store>): Promise<void> {
  const { describe, it } = setup
  const { groups } = await readSuite(setup)
  describe(`${setup.name} keeps the contract of a session store`, () => {
    for (const { title, cases } of groups) {
      describe(title, () => {
        for (const { sentence, skipped, run, timeoutMs } of cases) {
          if (skipped === null) it(sentence, () => run(), timeoutMs)
          else it.skip(`${sentence} (skipped: ${skipped})`, async () => {})
        }
      })
    }
  })
}

/** The first store may have to wait for a server to start. */
const OPENING_MS = 120_000

/** The cases of a store by group, in the order in which they run. */
export interface Suite {
  readonly capabilities: Capabilities
  readonly groups: readonly { readonly name: GroupName; readonly title: string; readonly cases: readonly Case[] }[]
}

export async function readSuite<Store extends SessionStore>(
  setup: StoreSetup<Store>,
  signal?: AbortSignal,
): Promise<Suite> {
  const names = chosenGroups(setup)
  const capabilities = await limited(readCapabilities(setup), OPENING_MS, 'opening a store', signal)
  if (capabilities.sharing !== 'process') {
    for (const name of ['reopen', 'child'] as const) {
      if (setup[name] === undefined) {
        throw new SetupError(`${setup.name} declares sharing '${capabilities.sharing}', so the setup needs \`${name}\``)
      }
    }
  }
  return {
    capabilities,
    groups: names.map(name => {
      const cases: Case[] = []
      groups[name].define(casesOf(setup, capabilities, found => cases.push(found)))
      return { name, title: groups[name].title, cases }
    }),
  }
}

/** The names of all groups, in the order in which they run. */
export function groupNames(): GroupName[] {
  return Object.keys(groups).filter(isGroupName)
}

export function isGroupName(name: string): name is GroupName {
  return Object.hasOwn(groups, name)
}

function chosenGroups<Store extends SessionStore>(setup: StoreSetup<Store>): GroupName[] {
  const names: readonly string[] = setup.groups ?? groupNames()
  // A suite without cases would pass.
  if (names.length === 0) throw new SetupError('`groups` is empty; omit it to run all groups')
  return names.map(name => {
    if (!isGroupName(name)) throw new SetupError(`Unknown group ${name}; the groups are ${groupNames().join(', ')}`)
    return name
  })
}

async function readCapabilities<Store extends SessionStore>(setup: StoreSetup<Store>): Promise<Capabilities> {
  const store = await setup.open()
  try {
    await store.ready()
    return store.capabilities
  } finally {
    // A separate case tests closing. Waiting here forever would prevent it.
    await limited(store.close(), AROUND_MS / 2, 'closing').catch(() => {})
    await setup.destroy?.(store)
  }
}
