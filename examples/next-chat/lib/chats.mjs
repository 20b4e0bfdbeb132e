import { SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import { TurnstoreChats } from '@turnstore/ai-sdk'

const store = new SqliteSessionStore(process.env.DATABASE ?? 'chats.db')

export const chats = new TurnstoreChats({ store })

/** For the list of chats, their titles, and deleting. */
export const manager = new SessionManager(store)
