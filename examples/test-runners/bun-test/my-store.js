/** The store under test; yours stands here. */
export { InMemorySessionStore as MyStore } from '@turnstore/memory'
