export { InMemorySessionStore } from './in-memory-session-store.js'
