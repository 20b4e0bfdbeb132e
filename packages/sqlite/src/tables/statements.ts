import { lastTurnColumns } from '@turnstore/core/adapter/sql'

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

/** Follows {@link withHead}: the body of the last turn, `last.body`. */
export const withLastTurn: string = `
  LEFT JOIN turnstore_places AS lp ON lp.session = s.id AND lp.is_head = 0 AND lp.seq = h.turn_count - 1
  LEFT JOIN turnstore_turns AS last ON last.id = lp.turn AND last.session = s.id AND last.seq = lp.seq`

/** Columns of a session that its summary needs, with the two joins. */
export const summaryColumns: string = `s.*, h.updated_at, h.revision, h.turn_count, h.transition_count,
  ${lastTurnColumns('last.body')}`

/** A session without its turns and transitions. */
export const selectSession: string = `
  SELECT ${summaryColumns}, h.updated_key AS changed_key,
    (SELECT metadata FROM turnstore_details WHERE session = s.id) AS metadata,
    (SELECT extra FROM turnstore_details WHERE session = s.id) AS extra,
    (SELECT own.session_id FROM turnstore_sessions AS own WHERE own.id = s.id) AS own_id,
    (SELECT max(seq) FROM turnstore_places WHERE session = s.id AND is_head = 0) AS last_turn
  FROM turnstore_sessions AS s INDEXED BY sqlite_autoindex_turnstore_sessions_1
  ${withHead} ${withLastTurn}
  WHERE s.session_id = +?`

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
  metadata: `SELECT metadata FROM turnstore_details WHERE session = +?`,

  // A damaged place may lead to a turn of another session or position, or hide that a turn is opened. That turn counts as
  // missing.
  turns: `
    SELECT p.seq, p.turn_id, p.tool_calls, p.items, t.body FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
      AND t.opened = (p.tool_calls IS NOT NULL)
    WHERE p.session = +? AND p.is_head = 0 AND p.seq >= +? AND p.seq < +? ORDER BY p.seq`,
  /** One turn, for a change or for its parts. The head of an opened turn is read when it is needed. */
  turn: `
    SELECT p.seq, p.turn_id, p.turn, p.tool_calls, p.items, p.bytes, iif(t.opened, NULL, t.body) AS body
    FROM turnstore_places AS p CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
      AND t.opened = (p.tool_calls IS NOT NULL)
    WHERE p.session = +? AND p.is_head = 0 AND p.seq = +?`,
  /** The size of all turns of a session, without reading them. */
  turnBytes: `
    SELECT total(ifnull(p.bytes, octet_length(t.body))) FROM turnstore_places AS p
    CROSS JOIN turnstore_turns AS t ON t.id = p.turn
    WHERE p.session = +? AND p.is_head = 0`,

  /** The parts of the opened turns in a range. */
  partsOfTurns: `
    SELECT p.seq, q.list, q.part_id, q.body FROM turnstore_places AS p
    CROSS JOIN turnstore_parts AS q INDEXED BY turnstore_parts_places ON q.turn = p.turn AND q.session = p.session
    WHERE p.session = +? AND p.is_head = 0 AND p.seq >= +? AND p.seq < +? AND p.tool_calls IS NOT NULL
    ORDER BY p.seq, q.list, q.place`,
  /** The opened turns whose size is not that of their rows. */
  missizedTurns: `
    SELECT p.seq FROM turnstore_places AS p CROSS JOIN turnstore_turns AS t ON t.id = p.turn AND t.session = p.session AND t.seq = p.seq
      AND t.opened = (p.tool_calls IS NOT NULL)
    WHERE p.session = +? AND p.is_head = 0 AND p.tool_calls IS NOT NULL
      AND p.bytes IS NOT octet_length(t.body) + (SELECT total(octet_length(q.body)) FROM turnstore_parts AS q
        INDEXED BY turnstore_parts_places WHERE q.turn = p.turn)`,
  /** The first number is the place of the turn, for messages. */
  partsWithId: `
    SELECT +? AS seq, place, part_id, body FROM turnstore_parts INDEXED BY turnstore_parts_ids
    WHERE turn = +? AND list = +? AND part_id = +? AND session = +? ORDER BY place`,
  /** How many parts are at a place and after it. */
  countFrom: `
    SELECT count(*) FROM turnstore_parts INDEXED BY turnstore_parts_places WHERE turn = +? AND list = +? AND place >= +?`,
  /** The place after the last part: their number, if none was removed. */
  endOfParts: `
    SELECT ifnull(max(place), -1) + 1 FROM turnstore_parts INDEXED BY turnstore_parts_places
    WHERE turn = +? AND list = +?`,
  /** The parts at places that have no gap. */
  partsAt: `
    SELECT +? AS seq, place, part_id, body FROM turnstore_parts INDEXED BY turnstore_parts_places
    WHERE turn = +? AND list = +? AND session = +? AND place >= +? AND place < +? ORDER BY place`,
  /** The same after removals: passes over the parts before them in the index. */
  partsAfter: `
    SELECT +? AS seq, q.place, q.part_id, q.body FROM (
      SELECT id, place FROM turnstore_parts INDEXED BY turnstore_parts_places
      WHERE turn = +? AND list = +? ORDER BY place LIMIT +? OFFSET +?
    ) AS found CROSS JOIN turnstore_parts AS q ON q.id = found.id AND q.session = +? ORDER BY found.place`,
  /** The same from the end. */
  partsBefore: `
    SELECT +? AS seq, q.place, q.part_id, q.body FROM (
      SELECT id, place FROM turnstore_parts INDEXED BY turnstore_parts_places
      WHERE turn = +? AND list = +? ORDER BY place DESC LIMIT +? OFFSET +?
    ) AS found CROSS JOIN turnstore_parts AS q ON q.id = found.id AND q.session = +? ORDER BY found.place`,

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
  /** The parts of the turns that the places of a damaged session lead to, unless another session has those turns. */
  deletePartsAstray: `
    DELETE FROM turnstore_parts
    WHERE turn IN (
      SELECT mine.turn FROM turnstore_places AS mine
      WHERE mine.session = +? AND mine.is_head = 0 AND NOT EXISTS (
        SELECT 1 FROM turnstore_turns AS t CROSS JOIN turnstore_places AS p
        ON p.session = t.session AND p.is_head = 0 AND p.seq = t.seq AND p.turn = t.id
        WHERE t.id = mine.turn AND t.session <> mine.session
      )
    )`,
  /** Both scan, since no index has the session of a turn or of a part. */
  deletePartsOfTurns: `
    DELETE FROM turnstore_parts WHERE turn IN (SELECT id FROM turnstore_turns WHERE session = +?)`,
  deleteParts: `DELETE FROM turnstore_parts WHERE session = +?`,
  /** Scans the turns of all sessions, since no index has the session of a turn. */
  deleteTurns: `DELETE FROM turnstore_turns WHERE session = +?`,
  deleteKeys: `DELETE FROM turnstore_keys WHERE session = +?`,
  deleteDetails: `DELETE FROM turnstore_details WHERE session = +?`,
  deleteSession: `DELETE FROM turnstore_sessions WHERE id = +?`,
} as const
