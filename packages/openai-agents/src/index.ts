export type { CompactedItems, CompactionOptions } from './history/compaction.js'
export type { RecordedRun, RecordRunOptions, RecoveredCall } from './run/recorded-run.js'
export { TurnstoreSession, type TurnstoreSessionOptions } from './turnstore-session.js'
