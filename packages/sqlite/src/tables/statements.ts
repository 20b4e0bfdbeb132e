/*
 * All statements of the store, except those that write (`plan-verbs.ts`), those that list sessions (`listing-sql.ts`)
 * and those that make the tables (`schema.ts`). Values are always bound.
 *
 * `+?` instead of `?` in comparisons and in LIMIT: see `dialect.ts`.
 *
 * If an owner ran ANALYZE when there was one session, SQLite prefers a scan of the table to its index, even when there
 * are thousands. So the statements name the index of sessions, and find a row by its id in a subquery, for which SQLite
 * compares no costs.
 */

/** Follows `turnstore_sessions AS s`. A LEFT JOIN, since a session without its head is damaged, not missing. */
export const withHead: string = 'LEFT JOIN turnstore_places AS h ON h.session = s.id AND h.is_head = 1 AND h.seq = 0'

export const sql = {
  // `own_id` and `last_turn` check the row. A damaged index may lead to the row of another tenant's session, and SQLite
  // reads indexed columns from the index. A turn that exists and is not counted would be overwritten.
  /** What a change or a read of turns needs. */
  head: `
    SELECT s.id, s.workspace_id, s.agent_id, s.ended, s.moved,
      h.updated_at, h.revision, h.turn_count, h.transition_count,
      (SELECT own.session_id FROM turnstore_sessions AS own WHERE own.id = s.id) AS own_id,
      (SELECT max(seq) FROM turnstore_places WHERE session = s.id AND is_head = 0) AS last_turn
    FROM turnstore_sessions AS s INDEXED BY sqlite_autoindex_turnstore_sessions_1
    LEFT JOIN turnstore_places AS h ON h.session = s.id AND h.is_head = 1 AND h.seq = 0
    WHERE s.session_id = +?`,
  /** All except turns and transitions. */
  session: `
    SELECT s.*, h.updated_at, h.updated_key AS changed_key, h.revision, h.turn_count, h.transition_count,
      (SELECT metadata FROM turnstore_details WHERE session = s.id) AS metadata,
      (SELECT extra FROM turnstore_details WHERE session = s.id) AS extra,
      (SELECT own.session_id FROM turnstore_sessions AS own WHERE own.id = s.id) AS own_id,
      (SELECT max(seq) FROM turnstore_places WHERE session = s.id AND is_head = 0) AS last_turn
    FROM turnstore_sessions AS s INDEXED BY sqlite_autoindex_turnstore_sessions_1
    LEFT JOIN turnstore_places AS h ON h.session = s.id AND h.is_head = 1 AND h.seq = 0
    WHERE s.session_id = +?`,
  metadata: `SELECT metadata FROM turnstore_details WHERE session = +?`,

  // A damaged place may lead to a turn of another session or position. That turn counts as missing.
  turns: `
    SELECT p.seq, p.turn_id, t.body FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
    WHERE p.session = +? AND p.is_head = 0 AND p.seq >= +? AND p.seq < +? ORDER BY p.seq`,
  turn: `
    SELECT p.seq, t.body FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
    WHERE p.session = +? AND p.is_head = 0 AND p.seq = +?`,
  /** The size of all turns of a session, without reading them. */
  turnBytes: `
    SELECT total(octet_length(t.body)) FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn
    WHERE p.session = +? AND p.is_head = 0`,
  /** The positions of an id, from the index of ids, and from the places at and after one. */
  placesOfTurn: `
    SELECT seq FROM turnstore_turn_ids WHERE session = +? AND turn_id = +?
    UNION ALL
    SELECT seq FROM turnstore_places WHERE session = +? AND is_head = 0 AND seq >= +? AND turn_id = +?`,
  /** How many ids the index has, how many of them match a place, and how many are of turns before one. */
  turnIdCounts: `
    SELECT count(*) AS ids, total(i.seq < +?) AS needed, total(EXISTS (
      SELECT 1 FROM turnstore_places AS p
      WHERE p.session = i.session AND p.is_head = 0 AND p.seq = i.seq AND p.turn_id = i.turn_id
    )) AS placed
    FROM turnstore_turn_ids AS i WHERE i.session = +?`,
  transitions: `SELECT transition_id, turn_id, body FROM turnstore_transitions WHERE session = +? ORDER BY seq`,
  /** If an id occurs twice, the first counts. */
  transitionWithId: `
    SELECT body FROM turnstore_transitions WHERE session = +? AND transition_id = +? ORDER BY seq LIMIT 1`,
  remembered: `SELECT body FROM turnstore_keys WHERE session = +? AND key = +?`,
  allRemembered: `SELECT seq, key, body FROM turnstore_keys WHERE session = +? ORDER BY seq`,

  setMoved: `UPDATE turnstore_sessions SET moved = 1 WHERE id = +?`,
  countMoved: `SELECT count(*) FROM turnstore_sessions INDEXED BY turnstore_sessions_moved WHERE moved = 1`,
  moved: `SELECT id FROM turnstore_sessions INDEXED BY turnstore_sessions_moved WHERE moved = 1`,
  /** A session whose head is missing or damaged keeps its position, and does not block the others. */
  settleMoved: `
    UPDATE turnstore_sessions AS s INDEXED BY turnstore_sessions_moved
    SET moved = 0, updated_key = ifnull(
      (SELECT h.updated_key FROM turnstore_places AS h
        WHERE h.session = s.id AND h.is_head = 1 AND h.seq = 0 AND typeof(h.updated_key) = 'text'),
      updated_key
    )
    WHERE moved = 1`,

  /** Adds the missing ids of a range of turns. */
  insertTurnIds: `
    INSERT OR IGNORE INTO turnstore_turn_ids (session, turn_id, seq)
    SELECT session, turn_id, seq FROM turnstore_places
    WHERE session = +? AND is_head = 0 AND seq >= +? AND seq < +?`,

  /**
   * The turns that the places of a damaged session lead to, and that claim to belong to another session without a place
   * there.
   */
  deleteTurnsAstray: `
    DELETE FROM turnstore_turns AS t
    WHERE t.id IN (SELECT turn FROM turnstore_places WHERE session = +? AND is_head = 0)
      AND NOT EXISTS (
        SELECT 1 FROM turnstore_places AS p
        WHERE p.session = t.session AND p.is_head = 0 AND p.seq = t.seq AND p.turn = t.id
      )`,
  /** Scans the turns of all sessions, since no index has the session of a turn. */
  deleteTurns: `DELETE FROM turnstore_turns WHERE session = +?`,
  deleteKeys: `DELETE FROM turnstore_keys WHERE session = +?`,
  deleteDetails: `DELETE FROM turnstore_details WHERE session = +?`,
  deleteSession: `DELETE FROM turnstore_sessions WHERE id = +?`,
} as const
