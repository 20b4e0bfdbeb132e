export type { RecordedRun, RecordRunOptions, RecoveredCall } from './run/recorded-run.js'
export { TurnstoreSession, type TurnstoreSessionOptions } from './turnstore-session.js'
