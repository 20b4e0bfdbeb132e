import { sessionStoreSuite } from '@turnstore/conformance'
import { InMemorySessionStore } from '@turnstore/memory'
import { describe, it } from 'vitest'

await sessionStoreSuite({ describe, it, name: 'InMemorySessionStore', open: () => new InMemorySessionStore() })
