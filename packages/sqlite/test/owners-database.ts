import type Database from 'better-sqlite3'
import type { Folder } from './folder.ts'

/** A database with a table of its owner's, on a handle with settings that differ from the defaults and break no promise. */
export function ownersDatabase(folder: Folder, busyTimeout = 12): Database.Database {
  const database = folder.shared()
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA busy_timeout = ${busyTimeout}; PRAGMA synchronous = EXTRA;
    PRAGMA cache_size = -777; PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON;
    PRAGMA reverse_unordered_selects = ON; PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = ON; PRAGMA trusted_schema = ON; PRAGMA user_version = 7; PRAGMA application_id = 99;
    CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('first'), ('second')`)
  return database
}
