export {
  type RecordRunOptions,
  type SaveMessagesOptions,
  type StoredChat,
  TurnstoreChats,
  type TurnstoreChatsOptions,
} from './chats.js'
export type { RecoveredCall } from './run/begin-run.js'
export type { EndEvent, PreparedStep, RecordedRun, RunSettings } from './run/recorded-run.js'
