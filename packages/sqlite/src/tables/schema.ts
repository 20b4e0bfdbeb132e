import { TurnstoreError } from '@turnstore/core'
import { quote } from '@turnstore/core/adapter'
import type { Connection } from '../database/connection.js'
import { isDamage, isOfSchema } from '../database/sqlite-errors.js'
import { text } from './columns.js'

/*
 * The tables, and how they came to be: step n brings a database from version n - 1 to n. A step that
 * was released is never altered; a change of the schema is a new step behind it. What they come to
 * says `docs/sqlite.md`.
 *
 * Names have a prefix of ours, since a lent database has tables of its owner's, and so has the version a
 * table: `user_version` and `application_id` are the owner's.
 */
export const steps: readonly string[] = [
  `
  CREATE TABLE turnstore_settings (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- One row a session: all of it that is as large as every other's.
  CREATE TABLE turnstore_sessions (
    id                INTEGER PRIMARY KEY,
    session_id        TEXT NOT NULL UNIQUE,
    workspace_id      TEXT,
    parent_session_id TEXT,
    agent_id          TEXT,
    created_at        TEXT NOT NULL,     -- as it came
    updated_at        TEXT NOT NULL,
    created_key       TEXT NOT NULL,     -- the instant, as text of one width; '' where it cannot be read
    updated_key       TEXT NOT NULL,
    ended             INTEGER NOT NULL,  -- 1: metadata has "ended": true
    revision          INTEGER NOT NULL,
    turn_count        INTEGER NOT NULL,
    transition_count  INTEGER NOT NULL
  ) STRICT;

  -- Listings are keysets in these orders; ids decide between equal times, by their UTF-8 bytes.
  CREATE INDEX turnstore_sessions_updated ON turnstore_sessions (updated_key, session_id);
  CREATE INDEX turnstore_sessions_created ON turnstore_sessions (created_key, session_id);
  CREATE INDEX turnstore_sessions_workspace_updated ON turnstore_sessions (workspace_id, updated_key, session_id);
  CREATE INDEX turnstore_sessions_workspace_created ON turnstore_sessions (workspace_id, created_key, session_id);

  -- Beside the session, whose row every append writes: metadata may have a megabyte.
  CREATE TABLE turnstore_details (
    session  INTEGER PRIMARY KEY REFERENCES turnstore_sessions,
    metadata TEXT NOT NULL,              -- JSON
    extra    TEXT                        -- JSON: members that a newer writer added
  ) STRICT;

  CREATE TABLE turnstore_turns (
    id      INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES turnstore_sessions,
    seq     INTEGER NOT NULL,            -- 0, 1, 2, … without a gap
    turn_id TEXT NOT NULL,               -- old files may have one twice
    body    TEXT NOT NULL,               -- the turn as JSON, in the wire format
    UNIQUE (session, seq)
  ) STRICT;
  CREATE INDEX turnstore_turns_by_id ON turnstore_turns (session, turn_id, seq);

  CREATE TABLE turnstore_transitions (
    id            INTEGER PRIMARY KEY,
    session       INTEGER NOT NULL REFERENCES turnstore_sessions,
    seq           INTEGER NOT NULL,      -- ascending; a rewind leaves gaps
    transition_id TEXT,
    turn_id       TEXT NOT NULL,
    body          TEXT NOT NULL,         -- the transition as JSON, in the wire format
    UNIQUE (session, seq)
  ) STRICT;
  CREATE INDEX turnstore_transitions_by_id ON turnstore_transitions (session, transition_id, seq)
    WHERE transition_id IS NOT NULL;

  INSERT INTO turnstore_settings VALUES ('schema_version', 1);
  `,
  `
  -- The forks of a session are few among many.
  CREATE INDEX turnstore_sessions_parent ON turnstore_sessions (parent_session_id)
    WHERE parent_session_id IS NOT NULL;
  `,
  `
  -- See moved-sessions.ts. 1: it belongs at moved_key and still stands at updated_key. Apart from the key, so that
  -- the key can change without the index.
  ALTER TABLE turnstore_sessions ADD COLUMN moved INTEGER NOT NULL DEFAULT 0 CHECK (moved IN (0, 1));
  ALTER TABLE turnstore_sessions ADD COLUMN moved_key TEXT NOT NULL DEFAULT '';
  CREATE INDEX turnstore_sessions_moved ON turnstore_sessions (moved) WHERE moved = 1;
  `,
  `
  -- An append writes two pages: that of its turn, and that of the turn's place and the session's head side by side.

  -- One row a turn: where it stands in its session. Behind the last one stands the session's head, which has all of a
  -- session that every change alters. Each of the two kinds has its own columns. updated_key of the head takes the place
  -- of moved_key.
  CREATE TABLE turnstore_places (
    session          INTEGER NOT NULL REFERENCES turnstore_sessions,
    is_head          INTEGER NOT NULL CHECK (is_head IN (0, 1)),
    seq              INTEGER NOT NULL,   -- 0, 1, 2, … without a gap; of a head 0
    turn_id          TEXT,               -- old files may have one twice
    turn             INTEGER,            -- the row in turnstore_turns
    updated_at       TEXT,               -- as it came
    updated_key      TEXT,               -- the instant, as in turnstore_sessions
    revision         INTEGER,
    turn_count       INTEGER,
    transition_count INTEGER,
    PRIMARY KEY (session, is_head, seq)
  ) STRICT, WITHOUT ROWID;

  -- Where the turn with an id stands. See turn-ids.ts: those of the last places come later.
  CREATE TABLE turnstore_turn_ids (
    session INTEGER NOT NULL REFERENCES turnstore_sessions,
    turn_id TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (session, turn_id, seq)
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE turnstore_turns RENAME TO turnstore_turns_before_4;
  -- Session and place once more, so that a damaged place is not taken for another's. No index has them, so that the
  -- table cannot refer to the sessions: to delete one of them, SQLite would look through all turns.
  CREATE TABLE turnstore_turns (
    id      INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    body    TEXT NOT NULL                -- the turn as JSON, in the wire format
  ) STRICT;
  INSERT INTO turnstore_turns
    SELECT id, session, seq, body FROM turnstore_turns_before_4 ORDER BY id;
  INSERT INTO turnstore_turn_ids
    SELECT session, turn_id, seq FROM turnstore_turns_before_4 ORDER BY session, turn_id, seq;
  INSERT INTO turnstore_places (session, is_head, seq, turn_id, turn)
    SELECT session, 0, seq, turn_id, id FROM turnstore_turns_before_4 ORDER BY session, seq;
  DROP TABLE turnstore_turns_before_4;

  INSERT INTO turnstore_places (
    session, is_head, seq, updated_at, updated_key, revision, turn_count, transition_count
  )
    SELECT id, 1, 0, updated_at, iif(moved, moved_key, updated_key), revision, turn_count, transition_count
    FROM turnstore_sessions;
  ALTER TABLE turnstore_sessions DROP COLUMN updated_at;
  ALTER TABLE turnstore_sessions DROP COLUMN moved_key;
  ALTER TABLE turnstore_sessions DROP COLUMN revision;
  ALTER TABLE turnstore_sessions DROP COLUMN turn_count;
  ALTER TABLE turnstore_sessions DROP COLUMN transition_count;
  `,
]

export const SCHEMA_VERSION: number = steps.length

const HAS_SETTINGS = `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'turnstore_settings'`
const READ_VERSION = `SELECT value FROM turnstore_settings WHERE name = 'schema_version'`
const WRITE_VERSION = `UPDATE turnstore_settings SET value = ? WHERE name = 'schema_version'`

/** Makes `turnstore_turns` anew, under the ids that its rows have. */
const STEP_OF_TURNS = 4

/**
 * What of its owner's goes with a table that is dropped: its indexes and triggers, and, by CASCADE or SET NULL, the
 * rows of a table that refers to it.
 */
const ON_TURNS = `
  SELECT type, name FROM sqlite_schema
  WHERE tbl_name = 'turnstore_turns' COLLATE NOCASE AND type IN ('index', 'trigger')
    AND sql IS NOT NULL AND name <> 'turnstore_turns_by_id'
  UNION ALL
  SELECT s.type, s.name FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f
  WHERE s.type = 'table' AND f."table" = 'turnstore_turns' COLLATE NOCASE`

/**
 * To be asked before a handle is set up, which may write.
 * @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE`
 */
export function refuseNewer(connection: Connection): void {
  connection.read(() => versionOf(connection))
}

/**
 * Makes the tables, or brings those of an older version up to date, in one transaction: whoever comes
 * meanwhile waits for it. A database that is up to date is not written to.
 *
 * @throws `SCHEMA_TOO_NEW` for a newer version, with nothing touched
 */
export function bringUpToDate(connection: Connection): void {
  if (connection.read(() => versionOf(connection)) === SCHEMA_VERSION) return
  connection.write(() => {
    // Another process may have done it in between.
    const version = versionOf(connection)
    if (version > 0 && version < STEP_OF_TURNS) refuseOnTurns(connection, version)
    try {
      for (const step of steps.slice(version)) connection.exec(step)
    } catch (error) {
      throw version > 0 && (isOfSchema(error) || isDamage(error)) ? damagedBefore(version) : error
    }
    connection.run(WRITE_VERSION, SCHEMA_VERSION)
  })
}

/** @throws `STORE_UNAVAILABLE` where something of its owner's would go with the table of the turns */
function refuseOnTurns(connection: Connection, version: number): void {
  const found = connection.get(ON_TURNS)
  if (found === undefined) return
  const [type, name] = [text(found, 'type'), quote(text(found, 'name'))]
  throw notUpToDate(
    version,
    type === 'table'
      ? `the table ${name} of its owner's refers to turnstore_turns, which is made anew; take the reference away until then, the ids stay`
      : `the ${type} ${name} of its owner's is on turnstore_turns, which is made anew; drop it, and make it again afterwards`,
  )
}

/** Rows that are damaged, or do not fit the declaration of their table, are refused by the new one. */
function damagedBefore(version: number): TurnstoreError {
  return notUpToDate(
    version,
    `a row in it is damaged, a view, a trigger or an index of its owner's names what is not there or goes (drop it, and make it again afterwards), or its tables are not those of Turnstore; look with the checkIntegrity() of the version of @turnstore/sqlite that wrote it`,
  )
}

function notUpToDate(version: number, why: string): TurnstoreError {
  return new TurnstoreError(
    'STORE_UNAVAILABLE',
    `This database of version ${version} of the schema cannot be brought up to date, and is as it was: ${why}`,
  )
}

/**
 * Looked at in every transaction: once a newer process has brought the database to its version, an older
 * one that is still running writes no more.
 *
 * @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE`
 */
export function checkVersion(connection: Connection): void {
  if (connection.value(READ_VERSION) === SCHEMA_VERSION) return
  versionOf(connection)
  throw new TurnstoreError('STORE_UNAVAILABLE', 'The database was replaced by one of an older version; open the store again')
}

/** 0 where there is nothing of ours. @throws `SCHEMA_TOO_NEW`, `STORE_UNAVAILABLE` */
function versionOf(connection: Connection): number {
  if (connection.value(HAS_SETTINGS) === 0) return 0
  const version = connection.value(READ_VERSION)
  if (typeof version !== 'number' || version < 1) {
    throw new TurnstoreError('STORE_UNAVAILABLE', 'The table turnstore_settings has no version of the schema; it is not one of ours')
  }
  if (version > SCHEMA_VERSION) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `This database has version ${version} of the schema; this version of @turnstore/sqlite knows up to ${SCHEMA_VERSION}, a newer one is needed`,
    )
  }
  return version
}
