export type {
  FoldSessionSummary,
  SessionKey,
  SessionStoreEntry,
  SessionSummaryEntry,
  SubagentsKey,
} from './keys/sdk-types.js'
export { TurnstoreSessionStore, type TurnstoreSessionStoreOptions } from './turnstore-session-store.js'
