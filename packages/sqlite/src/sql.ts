/*
 * Every statement that the store runs, but for those that list sessions (`listing.ts`) and those that
 * make the tables (`schema.ts`). Values are always bound, never written into the text.
 *
 * `+?` and not `?` where values are compared and in LIMIT: where a value might alter the plan, SQLite
 * compiles the statement again each time one is bound, which takes several times as long as running it.
 * Behind the sign it does not look.
 */
export const sql = {
  // What the row is checked by: `own_id`, since a damaged index may lead to the row of another session, which may be
  // another tenant's, and what an index holds SQLite takes from there; and `last_turn`, since a turn that is there and
  // not counted would be written over.
  /** The session as a change or a read of turns needs it. */
  head: `
    SELECT s.id, s.workspace_id, s.agent_id, s.updated_at, s.moved, s.ended, s.revision, s.turn_count, s.transition_count,
      (SELECT own.session_id FROM turnstore_sessions AS own WHERE own.id = s.id) AS own_id,
      (SELECT max(seq) FROM turnstore_turns WHERE session = s.id) AS last_turn
    FROM turnstore_sessions AS s WHERE s.session_id = +?`,
  /** All but turns and transitions. */
  session: `
    SELECT s.*, d.metadata, d.extra,
      (SELECT own.session_id FROM turnstore_sessions AS own WHERE own.id = s.id) AS own_id,
      (SELECT max(seq) FROM turnstore_turns WHERE session = s.id) AS last_turn
    FROM turnstore_sessions AS s LEFT JOIN turnstore_details AS d ON d.session = s.id
    WHERE s.session_id = +?`,
  metadata: `SELECT metadata FROM turnstore_details WHERE session = +?`,

  turns: `SELECT seq, body FROM turnstore_turns WHERE session = +? AND seq >= +? AND seq < +? ORDER BY seq`,
  turn: `SELECT seq, body FROM turnstore_turns WHERE session = +? AND seq = +?`,
  /** Where an id stands, ascending: nowhere, as a rule, or once; old files may have one twice. */
  placesOfTurn: `SELECT seq FROM turnstore_turns WHERE session = +? AND turn_id = +? ORDER BY seq`,
  transitions: `SELECT body FROM turnstore_transitions WHERE session = +? ORDER BY seq`,
  /** Where an id is there twice, the first is meant. */
  transitionWithId: `
    SELECT body FROM turnstore_transitions WHERE session = +? AND transition_id = +? ORDER BY seq LIMIT 1`,
  nextTransitionSeq: `SELECT ifnull(max(seq), -1) + 1 FROM turnstore_transitions WHERE session = +?`,

  insertSession: `
    INSERT INTO turnstore_sessions (
      session_id, workspace_id, parent_session_id, agent_id, created_at, updated_at, created_key, updated_key,
      ended, revision, turn_count, transition_count
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
  replaceSession: `
    UPDATE turnstore_sessions
    SET session_id = ?, workspace_id = ?, parent_session_id = ?, agent_id = ?, created_at = ?, updated_at = ?,
      created_key = ?, updated_key = ?, moved = 0, ended = ?, revision = ?, turn_count = ?, transition_count = ?
    WHERE id = +?`,
  /** Of a session that has moved; one that has not is told to have. */
  changeSession: `
    UPDATE turnstore_sessions
    SET agent_id = ?, updated_at = ?, moved_key = ?, ended = ?, revision = ?, turn_count = ?, transition_count = ?
    WHERE id = +?`,
  setMoved: `UPDATE turnstore_sessions SET moved = 1 WHERE id = +?`,
  countMoved: `SELECT count(*) FROM turnstore_sessions INDEXED BY turnstore_sessions_moved WHERE moved = 1`,
  settleMoved: `
    UPDATE turnstore_sessions INDEXED BY turnstore_sessions_moved SET updated_key = moved_key, moved = 0 WHERE moved = 1`,
  putDetails: `INSERT OR REPLACE INTO turnstore_details (session, metadata, extra) VALUES (?, ?, ?)`,
  changeMetadata: `UPDATE turnstore_details SET metadata = ? WHERE session = +?`,
  insertTurn: `INSERT INTO turnstore_turns (session, seq, turn_id, body) VALUES (?, ?, ?, ?)`,
  replaceTurn: `UPDATE turnstore_turns SET body = ? WHERE session = +? AND seq = +?`,
  insertTransition: `
    INSERT INTO turnstore_transitions (session, seq, transition_id, turn_id, body) VALUES (?, ?, ?, ?, ?)`,

  /** Those recorded with a turn that goes. Before the turns, by which that is seen. */
  dropTransitions: `
    DELETE FROM turnstore_transitions AS t
    WHERE t.session = +? AND (
      SELECT min(seq) FROM turnstore_turns WHERE session = t.session AND turn_id = t.turn_id
    ) >= +?`,
  dropTurns: `DELETE FROM turnstore_turns WHERE session = +? AND seq >= +?`,
  deleteTransitions: `DELETE FROM turnstore_transitions WHERE session = +?`,
  deleteDetails: `DELETE FROM turnstore_details WHERE session = +?`,
  deleteSession: `DELETE FROM turnstore_sessions WHERE id = +?`,
} as const
