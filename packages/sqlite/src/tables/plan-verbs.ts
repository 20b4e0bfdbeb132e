import { REMEMBERED_CHANGES } from '@turnstore/core/adapter'
import { PlanWriter, template, type Template } from '@turnstore/core/adapter/sql'
import { dialect } from './dialect.js'
import { BLOCK } from './turn-ids.js'

/*
 * The statements that write a session. Values are named by the kit: see `PlanVerbs` and `sessionColumns` of core.
 */

const TURN = `(SELECT turn FROM turnstore_places WHERE session = :session AND is_head = 0 AND seq = :seq)`

const SET_PARTS = `
  UPDATE turnstore_places SET tool_calls = :tool_calls, items = :items, bytes = :bytes
  WHERE session = :session AND is_head = 0 AND seq = :seq`

export const planWriter: PlanWriter = new PlanWriter(
  {
    // Checks session and seq of a turn too: a damaged place may lead to a turn of another session, or to one that stays.
    clear: [
      `DELETE FROM turnstore_parts INDEXED BY turnstore_parts_places
       WHERE session = :session AND turn IN (
         SELECT turn FROM turnstore_places WHERE session = :session AND is_head = 0 AND tool_calls IS NOT NULL
       )`,
      {
        counted: `
          DELETE FROM turnstore_turns
          WHERE id IN (SELECT turn FROM turnstore_places WHERE session = :session AND is_head = 0)
            AND session = :session AND seq >= 0`,
      },
      `DELETE FROM turnstore_turn_ids WHERE session = :session`,
      `DELETE FROM turnstore_places WHERE session = :session`,
      `DELETE FROM turnstore_transitions WHERE session = :session`,
    ],
    rewind: [
      // Indexes the last ids too, which the next statements need.
      `INSERT OR IGNORE INTO turnstore_turn_ids (session, turn_id, seq)
       SELECT session, turn_id, seq FROM turnstore_places
       WHERE session = :session AND is_head = 0 AND seq >= :turns_before - :turns_before % ${BLOCK}`,
      `DELETE FROM turnstore_transitions AS t
       WHERE t.session = :session AND (
         SELECT min(seq) FROM turnstore_turn_ids WHERE session = t.session AND turn_id = t.turn_id
       ) >= :keep_turns`,
      `UPDATE turnstore_places
       SET transition_count = (SELECT count(*) FROM turnstore_transitions WHERE session = :session)
       WHERE session = :session AND is_head = 1 AND seq = 0`,
      `DELETE FROM turnstore_turn_ids
       WHERE (session, turn_id, seq) IN (
         SELECT session, turn_id, seq FROM turnstore_places
         WHERE session = :session AND is_head = 0 AND seq >= :keep_turns
       )`,
      `DELETE FROM turnstore_parts INDEXED BY turnstore_parts_places
       WHERE session = :session AND turn IN (
         SELECT turn FROM turnstore_places
         WHERE session = :session AND is_head = 0 AND seq >= :keep_turns AND tool_calls IS NOT NULL
       )`,
      {
        counted: `
          DELETE FROM turnstore_turns
          WHERE id IN (SELECT turn FROM turnstore_places WHERE session = :session AND is_head = 0 AND seq >= :keep_turns)
            AND session = :session AND seq >= :keep_turns`,
      },
      `DELETE FROM turnstore_places WHERE session = :session AND is_head = 0 AND seq >= :keep_turns`,
    ],
    replaceTurn: [
      {
        counted: `
          UPDATE turnstore_turns SET body = :body
          WHERE id = ${TURN} AND session = :session AND opened = 0`,
      },
    ],
    insertTurn: [
      `INSERT INTO turnstore_turns (session, seq, opened, body) VALUES (:session, :seq, :opened, :body)`,
      `INSERT INTO turnstore_places (session, is_head, seq, turn_id, turn, tool_calls, items, bytes)
       VALUES (:session, 0, :seq, :turn_id, last_insert_rowid(), :tool_calls, :items, :bytes)`,
    ],
    parts: {
      openTurn: [
        {
          counted: `
            UPDATE turnstore_turns SET body = :body, opened = 1
            WHERE id = ${TURN} AND session = :session AND opened = 0`,
        },
        { counted: SET_PARTS },
      ],
      setTurnHead: [
        {
          counted: `
            UPDATE turnstore_turns SET body = :body WHERE id = ${TURN} AND session = :session AND opened = 1`,
        },
      ],
      setParts: [{ counted: SET_PARTS }],
      insertPart: [
        {
          counted: `
            INSERT INTO turnstore_parts (session, turn, list, place, part_id, body)
            SELECT session, turn, :list, ifnull((
              SELECT max(q.place) FROM turnstore_parts AS q INDEXED BY turnstore_parts_places
              WHERE q.turn = p.turn AND q.list = :list
            ), -1) + 1, :part_id, :body
            FROM turnstore_places AS p WHERE session = :session AND is_head = 0 AND seq = :seq`,
        },
      ],
      replacePart: [
        {
          counted: `
            UPDATE turnstore_parts INDEXED BY turnstore_parts_places SET body = :body
            WHERE turn = ${TURN} AND list = :list AND place = :place AND session = :session`,
        },
      ],
      removePart: [
        {
          counted: `
            DELETE FROM turnstore_parts INDEXED BY turnstore_parts_places
            WHERE turn = ${TURN} AND list = :list AND place = :place AND session = :session`,
        },
      ],
    },
    insertTransition: [
      `INSERT INTO turnstore_transitions (session, seq, transition_id, turn_id, body)
       SELECT :session, ifnull(max(seq), -1) + 1, :transition_id, :turn_id, :body
       FROM turnstore_transitions WHERE session = :session`,
    ],
    setMetadata: [`UPDATE turnstore_details SET metadata = :metadata WHERE session = :session`],
    setSession: [`UPDATE turnstore_sessions SET agent_id = :agent_id, ended = :ended WHERE id = :session`],
    setHead: [
      {
        counted: `
          UPDATE turnstore_places
          SET updated_at = :updated_at, updated_key = :updated_key, revision = :revision, turn_count = :turn_count,
            transition_count = transition_count + :transitions_added
          WHERE session = :session AND is_head = 1 AND seq = 0`,
      },
    ],
    remember: [
      `INSERT INTO turnstore_keys (session, seq, key, body)
       SELECT :session, ifnull(max(seq), -1) + 1, :key, :body FROM turnstore_keys WHERE session = :session`,
      `DELETE FROM turnstore_keys
       WHERE session = :session AND seq <= (SELECT max(seq) FROM turnstore_keys WHERE session = :session) - ${REMEMBERED_CHANGES}`,
    ],
  },
  dialect,
)

export const insertSession: Template = template(
  `INSERT INTO turnstore_sessions (
      session_id, workspace_id, parent_session_id, agent_id, created_at, created_key, updated_key, ended
    ) VALUES (
      :session_id, :workspace_id, :parent_session_id, :agent_id, :created_at, :created_key, :updated_key, :ended
    ) RETURNING id`,
  dialect,
)

export const replaceSession: Template = template(
  `UPDATE turnstore_sessions
    SET session_id = :session_id, workspace_id = :workspace_id, parent_session_id = :parent_session_id,
      agent_id = :agent_id, created_at = :created_at, created_key = :created_key, updated_key = :updated_key,
      ended = :ended, moved = 0
    WHERE id = :session`,
  dialect,
)

export const putHead: Template = template(
  `INSERT OR REPLACE INTO turnstore_places (
      is_head, seq, updated_at, updated_key, revision, turn_count, transition_count, session
    ) VALUES (1, 0, :updated_at, :updated_key, :revision, :turn_count, :transition_count, :session)`,
  dialect,
)

export const putDetails: Template = template(
  `INSERT OR REPLACE INTO turnstore_details (session, metadata, extra) VALUES (:session, :metadata, :extra)`,
  dialect,
)
