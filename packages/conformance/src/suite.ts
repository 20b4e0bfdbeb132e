import type { Capabilities, SessionStore } from '@turnstore/core'
import { casesOf, CLEAN_UP_MS, within } from './cases.js'
import { type GroupName, groups } from './groups.js'
import type { SessionStoreSetup } from './setup.js'

/**
 * Defines the cases that hold a store to the contract, for whichever test runner hands in its
 * `describe` and `it`. Await it: it opens a store first, to read what it declares.
 *
 * @throws where a declared capability needs a part of the setup that is missing
 *
 * @example
 * import { describe, it } from 'vitest'
 *
 * await sessionStoreSuite({ describe, it, name: 'MyStore', open: () => new MyStore() })
 */
export async function sessionStoreSuite<Store extends SessionStore>(setup: SessionStoreSetup<Store>): Promise<void> {
  const capabilities = await readCapabilities(setup)
  if (capabilities.sharing !== 'process') {
    for (const name of ['reopen', 'child'] as const) {
      if (setup[name] === undefined) {
        throw new TypeError(`${setup.name} declares sharing '${capabilities.sharing}', so the setup needs \`${name}\``)
      }
    }
  }
  const cases = casesOf(setup, capabilities)
  setup.describe(`${setup.name} keeps the contract of a session store`, () => {
    for (const name of setup.groups ?? groupNames()) {
      setup.describe(groups[name].title, () => groups[name].define(cases))
    }
  })
}

/** The names of all groups, in the order in which they run. */
export function groupNames(): GroupName[] {
  return Object.keys(groups).filter(isGroupName)
}

function isGroupName(name: string): name is GroupName {
  return Object.hasOwn(groups, name)
}

async function readCapabilities<Store extends SessionStore>(setup: SessionStoreSetup<Store>): Promise<Capabilities> {
  const store = await setup.open()
  await store.ready()
  const { capabilities } = store
  // Whether it closes is a case of its own, which would not come to be if we waited here for ever.
  await within(store.close(), CLEAN_UP_MS, 'settles').catch(() => {})
  await setup.destroy?.(store)
  return capabilities
}
