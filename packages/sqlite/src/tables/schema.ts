/*
 * The tables of version 1. `docs/sqlite.md` describes them for readers with SQL.
 *
 * All names begin with `turnstore_`: a shared database has tables of its owner's. The version is in a table for the
 * same reason: `user_version` and `application_id` are the owner's.
 *
 * An append writes two pages: the page of the turn, and the page that holds the turn's place and the session's head.
 */
export const SCHEMA: string = `
  CREATE TABLE turnstore_settings (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO turnstore_settings VALUES ('schema_version', 1), ('deletions', 0);  -- see deletions.ts

  -- One row a session: what listings need. What every change alters is in the session's head.
  CREATE TABLE turnstore_sessions (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so it tells a session from an earlier one
    session_id        TEXT NOT NULL UNIQUE,
    workspace_id      TEXT,
    parent_session_id TEXT,
    agent_id          TEXT,
    created_at        TEXT NOT NULL,     -- as given
    created_key       TEXT NOT NULL,     -- the instant, as text of one width; '' if created_at is unreadable
    updated_key       TEXT NOT NULL,     -- the position in the listings, outdated if moved = 1
    ended             INTEGER NOT NULL,  -- 1: metadata has "ended": true
    moved             INTEGER NOT NULL DEFAULT 0 CHECK (moved IN (0, 1))  -- see moved-sessions.ts
  ) STRICT;

  -- Listings are keysets in these orders. Ids decide between equal times, by their UTF-8 bytes.
  CREATE INDEX turnstore_sessions_updated ON turnstore_sessions (updated_key, session_id);
  CREATE INDEX turnstore_sessions_created ON turnstore_sessions (created_key, session_id);
  CREATE INDEX turnstore_sessions_workspace_updated ON turnstore_sessions (workspace_id, updated_key, session_id);
  CREATE INDEX turnstore_sessions_workspace_created ON turnstore_sessions (workspace_id, created_key, session_id);
  -- The forks of a session are few among many.
  CREATE INDEX turnstore_sessions_parent ON turnstore_sessions (parent_session_id)
    WHERE parent_session_id IS NOT NULL;
  CREATE INDEX turnstore_sessions_moved ON turnstore_sessions (moved) WHERE moved = 1;

  -- One row a session. Apart from the session, since metadata may have a megabyte.
  CREATE TABLE turnstore_details (
    session  INTEGER PRIMARY KEY REFERENCES turnstore_sessions,
    metadata TEXT NOT NULL,              -- JSON
    extra    TEXT                        -- JSON: members that a newer writer added
  ) STRICT;

  -- One row a turn: its position in the session. After the last one comes one row with the session's head. Each kind
  -- has its own columns.
  CREATE TABLE turnstore_places (
    session          INTEGER NOT NULL REFERENCES turnstore_sessions,
    is_head          INTEGER NOT NULL CHECK (is_head IN (0, 1)),
    seq              INTEGER NOT NULL,   -- 0, 1, 2, … without a gap; 0 for a head
    turn_id          TEXT,               -- may occur twice in old records
    turn             INTEGER,            -- the row in turnstore_turns
    tool_calls       INTEGER,            -- of an opened turn: how many parts it has in each list
    items            INTEGER,
    bytes            INTEGER,            -- of an opened turn: its size, as the limits count it
    updated_at       TEXT,               -- as given
    updated_key      TEXT,               -- the instant, as in turnstore_sessions
    revision         INTEGER,
    turn_count       INTEGER,
    transition_count INTEGER,
    PRIMARY KEY (session, is_head, seq)
  ) STRICT, WITHOUT ROWID;

  -- Finds a turn by its id. The ids of the last turns are added later: see turn-ids.ts.
  CREATE TABLE turnstore_turn_ids (
    session INTEGER NOT NULL REFERENCES turnstore_sessions,
    turn_id TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (session, turn_id, seq)
  ) STRICT, WITHOUT ROWID;

  -- A turn is stored whole, or opened: then the row has its head, and turnstore_parts has its parts. A step thus writes
  -- its part, the two indexes of parts, and the page of places, whatever the turn holds.
  -- Session and seq once more, so that a damaged place cannot pass off another turn. No index has them, so the table
  -- cannot refer to the sessions: to delete a session, SQLite would scan all turns.
  CREATE TABLE turnstore_turns (
    id      INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    opened  INTEGER NOT NULL DEFAULT 0 CHECK (opened IN (0, 1)),
    body    TEXT NOT NULL                -- the turn or its head as JSON, in the wire format
  ) STRICT;

  -- The parts of opened turns. The place of a part is ascending within its list; a removal leaves a gap.
  CREATE TABLE turnstore_parts (
    id      INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    turn    INTEGER NOT NULL,            -- the row in turnstore_turns
    list    INTEGER NOT NULL CHECK (list IN (0, 1)),  -- 0: tool calls, 1: items
    place   INTEGER NOT NULL,
    part_id TEXT NOT NULL,               -- may occur twice in old records
    body    TEXT NOT NULL                -- the part as JSON, in the wire format
  ) STRICT;
  CREATE UNIQUE INDEX turnstore_parts_places ON turnstore_parts (turn, list, place);
  CREATE INDEX turnstore_parts_ids ON turnstore_parts (turn, list, part_id, place);

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

  -- What a session remembers by idempotency keys: the last 256. They are few, so a key is found without an index.
  CREATE TABLE turnstore_keys (
    session INTEGER NOT NULL REFERENCES turnstore_sessions,
    seq     INTEGER NOT NULL,            -- ascending, without a gap
    key     TEXT NOT NULL,
    body    TEXT NOT NULL,               -- the key once more, the digest of the change, and its result, as JSON
    PRIMARY KEY (session, seq)
  ) STRICT, WITHOUT ROWID;
`
