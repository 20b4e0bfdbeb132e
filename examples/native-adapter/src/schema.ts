/**
 * One row a session, a turn, an agent transition. The names of the columns of a session are those of core's
 * `sessionColumns`. Everything that an append reads or writes is found by an index, so its cost does not depend on the
 * length of the session.
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
    session INTEGER NOT NULL REFERENCES sessions,
    seq     INTEGER NOT NULL, -- 0, 1, 2, … without a gap
    turn_id TEXT NOT NULL,
    body    TEXT NOT NULL,    -- JSON in the wire format
    PRIMARY KEY (session, seq)
  ) STRICT;
  CREATE INDEX turns_by_id ON turns (session, turn_id, seq);

  CREATE TABLE transitions (
    session       INTEGER NOT NULL REFERENCES sessions,
    seq           INTEGER NOT NULL, -- ascending
    transition_id TEXT,
    turn_id       TEXT NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (session, seq)
  ) STRICT;
  CREATE INDEX transitions_by_id ON transitions (session, transition_id, seq);
`

/** In `user_version`. A newer version of this store may upgrade the tables; this one then refuses them. */
export const SCHEMA_VERSION = 1
