/*
 * The tables of version 1. `docs/postgres.md` describes them for readers with SQL.
 *
 * Ids have the collation "C": they are compared by their bytes, whatever the locale of the database. What is found by an
 * id of any length is found by a hash of it: an entry of an index takes at most 2,704 bytes, and ids of old records have
 * no limit. These indexes begin with `session + 0`, which Postgres takes for something else than `session`: without
 * statistics it would read all turns or parts of a session by their place, and keep that plan. Records are JSON in text: `jsonb` refuses some, and returns others changed.
 */
export const SCHEMA: string = `
  CREATE TABLE {settings} (
    name  text PRIMARY KEY,
    value bigint NOT NULL
  );

  CREATE TABLE {sessions} (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id        text COLLATE "C" NOT NULL UNIQUE,
    workspace_id      text COLLATE "C",
    parent_session_id text COLLATE "C",
    agent_id          text COLLATE "C",
    created_at        text NOT NULL,              -- as given
    created_key       text COLLATE "C" NOT NULL,  -- the instant, as text of one width; '' if created_at is unreadable
    updated_at        text NOT NULL,
    updated_key       text COLLATE "C" NOT NULL,
    ended             integer NOT NULL,           -- 1: metadata has "ended": true
    metadata          text NOT NULL,              -- JSON
    extra             text,                       -- JSON: members that a newer version added
    revision          bigint NOT NULL,
    turn_count        integer NOT NULL,
    transition_count  integer NOT NULL,
    recent            text NOT NULL DEFAULT ''    -- the last writes, and what they returned: see functions.ts
  ) WITH (autovacuum_vacuum_scale_factor = 0.02);
  CREATE INDEX {{sessions_created}} ON {sessions} (created_key, session_id);
  CREATE INDEX {{sessions_updated}} ON {sessions} (updated_key, session_id);
  CREATE INDEX {{sessions_workspace_created}} ON {sessions} (workspace_id, created_key, session_id)
    WHERE workspace_id IS NOT NULL;
  CREATE INDEX {{sessions_workspace_updated}} ON {sessions} (workspace_id, updated_key, session_id)
    WHERE workspace_id IS NOT NULL;
  -- Postgres does not know that the rows of one NULL are in order.
  CREATE INDEX {{sessions_alone_created}} ON {sessions} (created_key, session_id) WHERE workspace_id IS NULL;
  CREATE INDEX {{sessions_alone_updated}} ON {sessions} (updated_key, session_id) WHERE workspace_id IS NULL;
  CREATE INDEX {{sessions_parent}} ON {sessions} (parent_session_id) WHERE parent_session_id IS NOT NULL;

  -- A small turn is one row. A running or large one is opened: its row has the head, and each part a row of its own.
  CREATE TABLE {turns} (
    session    bigint NOT NULL,
    seq        integer NOT NULL,           -- 0, 1, 2, … without a gap
    turn_id    text COLLATE "C" NOT NULL,
    tool_calls integer,                    -- of an opened turn: how many it has; NULL for a whole turn
    items      integer,                    -- the same
    bytes      bigint,                     -- of an opened turn: its size
    body       text NOT NULL,              -- JSON in the wire format: the turn, or the head of an opened one
    PRIMARY KEY (session, seq),
    CHECK ((tool_calls IS NULL) = (items IS NULL) AND (tool_calls IS NULL) = (bytes IS NULL))
  );
  CREATE INDEX {{turns_by_id}} ON {turns} ((session + 0), hashtextextended(turn_id, 0), seq);

  CREATE TABLE {parts} (
    session bigint NOT NULL,
    seq     integer NOT NULL,           -- the turn
    list    integer NOT NULL,           -- 0: tool calls, 1: items
    place   integer NOT NULL,           -- ascending; a removal leaves a gap and moves nothing
    part_id text COLLATE "C" NOT NULL,
    running integer NOT NULL,           -- 1: a tool call with the status "running"
    body    text NOT NULL,              -- JSON in the wire format
    PRIMARY KEY (session, seq, list, place)
  );
  CREATE INDEX {{parts_by_id}} ON {parts} ((session + 0), hashtextextended(part_id, seq::bigint * 2 + list), place);

  CREATE TABLE {transitions} (
    session       bigint NOT NULL,
    seq           integer NOT NULL,           -- ascending
    transition_id text COLLATE "C",
    turn_id       text COLLATE "C" NOT NULL,
    body          text NOT NULL,              -- JSON in the wire format
    PRIMARY KEY (session, seq)
  );
  CREATE INDEX {{transitions_by_id}} ON {transitions} ((session + 0), hashtextextended(transition_id, 0), seq);

  -- The last 256 changes with an idempotency key.
  CREATE TABLE {keys} (
    session bigint NOT NULL,
    seq     integer NOT NULL,           -- ascending
    key     text COLLATE "C" NOT NULL,
    body    text NOT NULL,              -- JSON: the digest of the change, and its result
    PRIMARY KEY (session, seq)
  );
  CREATE INDEX {{keys_by_key}} ON {keys} ((session + 0), key);

  -- The deletions of the last hour, for one whose answer was lost. They do not say what was deleted.
  CREATE TABLE {deletions} (
    token text COLLATE "C" PRIMARY KEY,
    at    timestamptz NOT NULL
  );
  CREATE INDEX {{deletions_at}} ON {deletions} (at);
`

/** For a server that has lz4: it takes a fraction of the time of the default, and every text above 2 KB is compressed. */
export const COMPRESSION: string = `
  ALTER TABLE {turns} ALTER COLUMN body SET COMPRESSION lz4;
  ALTER TABLE {parts} ALTER COLUMN body SET COMPRESSION lz4;
`
