import { sessionStoreSuite } from '@turnstore/conformance'
import { InMemorySessionStore } from '@turnstore/memory'
import { describe, it } from 'vitest'
import { isThorough } from '../../../scripts/testing/machine.ts'

await sessionStoreSuite({
  describe,
  it,
  name: 'InMemorySessionStore',
  open: () => new InMemorySessionStore(),
  thorough: isThorough,
})
