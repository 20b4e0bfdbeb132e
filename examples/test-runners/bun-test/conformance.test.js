import { describe, it } from 'bun:test'
import { sessionStoreSuite } from '@turnstore/conformance'
import { MyStore } from './my-store.js'

await sessionStoreSuite({ describe, it, name: 'MyStore', open: () => new MyStore() })
