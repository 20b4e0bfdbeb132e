/**
 * One row a session, a turn, a part of an opened turn, an agent transition, a remembered change. The names of the columns
 * of a session are those of core's `sessionColumns`. Everything that an append or a step reads or writes is found by an
 * index, so its cost depends neither on the length of the session nor on what the turn holds.
 */
export const SCHEMA = `
  CREATE TABLE sessions (
    id                INTEGER PRIMARY KEY,
    session_id        TEXT NOT NULL UNIQUE,
    workspace_id      TEXT,
    parent_session_id TEXT,
    agent_id          TEXT,
    created_at        TEXT NOT NULL,
    created_key       TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    updated_key       TEXT NOT NULL,
    ended             INTEGER NOT NULL,
    metadata          TEXT NOT NULL,
    extra             TEXT,
    revision          INTEGER NOT NULL,
    turn_count        INTEGER NOT NULL,
    transition_count  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX sessions_created ON sessions (created_key, session_id);
  CREATE INDEX sessions_updated ON sessions (updated_key, session_id);
  CREATE INDEX sessions_workspace_created ON sessions (workspace_id, created_key, session_id);
  CREATE INDEX sessions_workspace_updated ON sessions (workspace_id, updated_key, session_id);
  CREATE INDEX sessions_parent ON sessions (parent_session_id) WHERE parent_session_id IS NOT NULL;

  CREATE TABLE turns (
    session    INTEGER NOT NULL REFERENCES sessions,
    seq        INTEGER NOT NULL, -- 0, 1, 2, … without a gap
    turn_id    TEXT NOT NULL,
    body       TEXT NOT NULL,    -- JSON in the wire format: the turn, or if it is opened, its head
    tool_calls INTEGER,          -- of an opened turn: how many it has; NULL for a whole turn, as in the next two
    items      INTEGER,
    bytes      INTEGER,          -- the size of the turn
    PRIMARY KEY (session, seq),
    CHECK ((tool_calls IS NULL) = (items IS NULL) AND (tool_calls IS NULL) = (bytes IS NULL))
  ) STRICT;
  CREATE INDEX turns_by_id ON turns (session, turn_id, seq);

  CREATE TABLE parts (
    session INTEGER NOT NULL REFERENCES sessions,
    seq     INTEGER NOT NULL, -- the turn
    list    INTEGER NOT NULL, -- 0: tool calls, 1: items
    place   INTEGER NOT NULL, -- ascending; a removal leaves a gap and moves nothing
    part_id TEXT NOT NULL,
    body    TEXT NOT NULL,    -- JSON in the wire format
    PRIMARY KEY (session, seq, list, place)
  ) STRICT;
  CREATE INDEX parts_by_id ON parts (session, seq, list, part_id, place);

  CREATE TABLE transitions (
    session       INTEGER NOT NULL REFERENCES sessions,
    seq           INTEGER NOT NULL, -- ascending
    transition_id TEXT,
    turn_id       TEXT NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (session, seq)
  ) STRICT;
  CREATE INDEX transitions_by_id ON transitions (session, transition_id, seq);

  CREATE TABLE keys (
    session INTEGER NOT NULL REFERENCES sessions,
    seq     INTEGER NOT NULL, -- ascending; the last 256
    key     TEXT NOT NULL,
    body    TEXT NOT NULL,    -- JSON, from core's encodeRemembered
    PRIMARY KEY (session, seq)
  ) STRICT;
`

/** In `user_version`. A newer version of this store may upgrade the tables; this one then refuses them. */
export const SCHEMA_VERSION = 1
