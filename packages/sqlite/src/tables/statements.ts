/*
 * Every statement that the store runs, but for those that list sessions (`listing.ts`) and those that
 * make the tables (`schema.ts`). Values are always bound, never written into the text.
 *
 * `+?` and not `?` where values are compared and in LIMIT: where a value might alter the plan, SQLite
 * compiles the statement again each time one is bound, which takes several times as long as running it.
 * Behind the sign it does not look.
 *
 * Where the owner of a database ran ANALYZE when there was one session, SQLite takes a look through the whole table for
 * cheaper than its index, and still does when there are thousands. So the index of sessions is named, and a row is
 * found by its id in a SELECT of its own, for which SQLite compares no costs.
 */

/** To follow `turnstore_sessions AS s`. A session whose head is lost is damaged; it is not one that is not there. */
export const withHead: string = 'LEFT JOIN turnstore_places AS h ON h.session = s.id AND h.is_head = 1 AND h.seq = 0'

export const sql = {
  // What the row is checked by: `own_id`, since a damaged index may lead to the row of another session, which may be
  // another tenant's, and what an index holds SQLite takes from there; and `last_turn`, since a turn that is there and
  // not counted would be written over.
  /** The session as a change or a read of turns needs it. */
  head: `
    SELECT s.id, s.workspace_id, s.agent_id, s.ended, s.moved,
      h.updated_at, h.revision, h.turn_count, h.transition_count,
      (SELECT own.session_id FROM turnstore_sessions AS own WHERE own.id = s.id) AS own_id,
      (SELECT max(seq) FROM turnstore_places WHERE session = s.id AND is_head = 0) AS last_turn
    FROM turnstore_sessions AS s INDEXED BY sqlite_autoindex_turnstore_sessions_1
    LEFT JOIN turnstore_places AS h ON h.session = s.id AND h.is_head = 1 AND h.seq = 0
    WHERE s.session_id = +?`,
  /** All but turns and transitions. */
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

  // A turn that is not of this session and place is missing, wherever a damaged place may lead.
  turns: `
    SELECT p.seq, p.turn_id, t.body FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
    WHERE p.session = +? AND p.is_head = 0 AND p.seq >= +? AND p.seq < +? ORDER BY p.seq`,
  turn: `
    SELECT p.seq, t.body FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
    WHERE p.session = +? AND p.is_head = 0 AND p.seq = +?`,
  /** Of all turns of a session, without reading them. */
  turnBytes: `
    SELECT total(octet_length(t.body)) FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn
    WHERE p.session = +? AND p.is_head = 0`,
  /** Where an id stands, by the index of ids, and by the places from one on. */
  placesOfTurn: `
    SELECT seq FROM turnstore_turn_ids WHERE session = +? AND turn_id = +?
    UNION ALL
    SELECT seq FROM turnstore_places WHERE session = +? AND is_head = 0 AND seq >= +? AND turn_id = +?`,
  /** How many ids the index has, how many of them are those of a place, and how many are of the places before one. */
  turnIdCounts: `
    SELECT count(*) AS ids, total(i.seq < +?) AS needed, total(EXISTS (
      SELECT 1 FROM turnstore_places AS p
      WHERE p.session = i.session AND p.is_head = 0 AND p.seq = i.seq AND p.turn_id = i.turn_id
    )) AS placed
    FROM turnstore_turn_ids AS i WHERE i.session = +?`,
  transitions: `SELECT transition_id, turn_id, body FROM turnstore_transitions WHERE session = +? ORDER BY seq`,
  /** Where an id is there twice, the first is meant. */
  transitionWithId: `
    SELECT body FROM turnstore_transitions WHERE session = +? AND transition_id = +? ORDER BY seq LIMIT 1`,
  nextTransitionSeq: `SELECT ifnull(max(seq), -1) + 1 FROM turnstore_transitions WHERE session = +?`,

  insertSession: `
    INSERT INTO turnstore_sessions (
      session_id, workspace_id, parent_session_id, agent_id, created_at, created_key, updated_key, ended
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
  replaceSession: `
    UPDATE turnstore_sessions
    SET session_id = ?, workspace_id = ?, parent_session_id = ?, agent_id = ?, created_at = ?, created_key = ?,
      updated_key = ?, ended = ?, moved = 0
    WHERE id = +?`,
  changeSession: `UPDATE turnstore_sessions SET agent_id = ?, ended = ? WHERE id = +?`,
  putHead: `
    INSERT OR REPLACE INTO turnstore_places (
      is_head, seq, updated_at, updated_key, revision, turn_count, transition_count, session
    ) VALUES (1, 0, ?, ?, ?, ?, ?, ?)`,
  changeHead: `
    UPDATE turnstore_places
    SET updated_at = ?, updated_key = ?, revision = ?, turn_count = ?, transition_count = ?
    WHERE session = +? AND is_head = 1 AND seq = 0`,
  setMoved: `UPDATE turnstore_sessions SET moved = 1 WHERE id = +?`,
  countMoved: `SELECT count(*) FROM turnstore_sessions INDEXED BY turnstore_sessions_moved WHERE moved = 1`,
  moved: `SELECT id FROM turnstore_sessions INDEXED BY turnstore_sessions_moved WHERE moved = 1`,
  /** One whose head is lost or holds no text there keeps its place, and does not keep the others from theirs. */
  settleMoved: `
    UPDATE turnstore_sessions AS s INDEXED BY turnstore_sessions_moved
    SET moved = 0, updated_key = ifnull(
      (SELECT h.updated_key FROM turnstore_places AS h
        WHERE h.session = s.id AND h.is_head = 1 AND h.seq = 0 AND typeof(h.updated_key) = 'text'),
      updated_key
    )
    WHERE moved = 1`,
  putDetails: `INSERT OR REPLACE INTO turnstore_details (session, metadata, extra) VALUES (?, ?, ?)`,
  changeMetadata: `UPDATE turnstore_details SET metadata = ? WHERE session = +?`,

  insertTurn: `INSERT INTO turnstore_turns (session, seq, body) VALUES (?, ?, ?)`,
  /** Of the turn that was inserted last. */
  insertPlace: `INSERT INTO turnstore_places (session, is_head, seq, turn_id, turn) VALUES (?, 0, ?, ?, last_insert_rowid())`,
  /** Those from one place to before another that are not there yet. */
  insertTurnIds: `
    INSERT OR IGNORE INTO turnstore_turn_ids (session, turn_id, seq)
    SELECT session, turn_id, seq FROM turnstore_places
    WHERE session = +? AND is_head = 0 AND seq >= +? AND seq < +?`,
  replaceTurn: `
    UPDATE turnstore_turns SET body = ?
    WHERE id = (SELECT turn FROM turnstore_places WHERE session = +? AND is_head = 0 AND seq = +?) AND session = +?`,
  insertTransition: `
    INSERT INTO turnstore_transitions (session, seq, transition_id, turn_id, body) VALUES (?, ?, ?, ?, ?)`,

  /** Those recorded with a turn that goes. Before the turns, by whose ids that is seen. */
  dropTransitions: `
    DELETE FROM turnstore_transitions AS t
    WHERE t.session = +? AND (
      SELECT min(seq) FROM turnstore_turn_ids WHERE session = t.session AND turn_id = t.turn_id
    ) >= +?`,
  dropTurnIds: `
    DELETE FROM turnstore_turn_ids
    WHERE (session, turn_id, seq) IN (
      SELECT session, turn_id, seq FROM turnstore_places WHERE session = +? AND is_head = 0 AND seq >= +?
    )`,
  /** By session and place too: a damaged place may lead to another's turn, or to one that stays. */
  dropTurns: `
    DELETE FROM turnstore_turns
    WHERE id IN (SELECT turn FROM turnstore_places WHERE session = +? AND is_head = 0 AND seq >= +?)
      AND session = +? AND seq >= +?`,
  /**
   * Those that the places of a damaged session lead to, though by their own columns they are another's: unless they
   * are, since a place of that session leads to them as well.
   */
  deleteTurnsAstray: `
    DELETE FROM turnstore_turns AS t
    WHERE t.id IN (SELECT turn FROM turnstore_places WHERE session = +? AND is_head = 0)
      AND NOT EXISTS (
        SELECT 1 FROM turnstore_places AS p
        WHERE p.session = t.session AND p.is_head = 0 AND p.seq = t.seq AND p.turn = t.id
      )`,
  /** Wherever they are: a look through the turns of all sessions, since no index has the session of a turn. */
  deleteTurns: `DELETE FROM turnstore_turns WHERE session = +?`,
  dropPlaces: `DELETE FROM turnstore_places WHERE session = +? AND is_head = 0 AND seq >= +?`,
  deleteTurnIds: `DELETE FROM turnstore_turn_ids WHERE session = +?`,
  deletePlaces: `DELETE FROM turnstore_places WHERE session = +?`,
  deleteTransitions: `DELETE FROM turnstore_transitions WHERE session = +?`,
  deleteDetails: `DELETE FROM turnstore_details WHERE session = +?`,
  deleteSession: `DELETE FROM turnstore_sessions WHERE id = +?`,
} as const
