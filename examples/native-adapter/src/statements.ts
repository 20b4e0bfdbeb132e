import { REMEMBERED_CHANGES } from '@turnstore/core/adapter'
import { type Dialect, lastTurnColumns, PlanWriter, template } from '@turnstore/core/adapter/sql'

/** Postgres would have `position => `$${position}``. */
export const dialect: Dialect = { placeholder: () => '?' }

/** For `summaryOfRow`: the columns of a session, and what they tell of its last turn. */
export const summaryColumns = `sessions.*, ${lastTurnColumns('last.body')}`
export const withLastTurn = 'LEFT JOIN turns AS last ON last.session = sessions.id AND last.seq = turn_count - 1'

/** The statements of a change. Core names the values, and decides which statements a change needs. */
export const writer = new PlanWriter(
  {
    clear: [
      'DELETE FROM parts WHERE session = :session',
      { counted: 'DELETE FROM turns WHERE session = :session' },
      'DELETE FROM transitions WHERE session = :session',
    ],
    rewind: [
      `DELETE FROM transitions WHERE session = :session AND :keep_turns <= (
         SELECT min(seq) FROM turns WHERE session = transitions.session AND turn_id = transitions.turn_id
       )`,
      `UPDATE sessions SET transition_count = (SELECT count(*) FROM transitions WHERE session = :session)
       WHERE id = :session`,
      'DELETE FROM parts WHERE session = :session AND seq >= :keep_turns',
      { counted: 'DELETE FROM turns WHERE session = :session AND seq >= :keep_turns' },
    ],
    replaceTurn: [{ counted: 'UPDATE turns SET body = :body WHERE session = :session AND seq = :seq' }],
    insertTurn: [
      `INSERT INTO turns (session, seq, turn_id, body, tool_calls, items, bytes)
       VALUES (:session, :seq, :turn_id, :body, :tool_calls, :items, :bytes)`,
    ],
    parts: {
      openTurn: [
        {
          counted: `
            UPDATE turns SET body = :body, tool_calls = :tool_calls, items = :items, bytes = :bytes
            WHERE session = :session AND seq = :seq AND tool_calls IS NULL`,
        },
      ],
      setTurnHead: [{ counted: 'UPDATE turns SET body = :body WHERE session = :session AND seq = :seq' }],
      setParts: [
        {
          counted: `
            UPDATE turns SET tool_calls = :tool_calls, items = :items, bytes = :bytes
            WHERE session = :session AND seq = :seq AND tool_calls IS NOT NULL`,
        },
      ],
      insertPart: [
        `INSERT INTO parts (session, seq, list, place, part_id, body)
         SELECT :session, :seq, :list, ifnull(max(place), -1) + 1, :part_id, :body
         FROM parts WHERE session = :session AND seq = :seq AND list = :list`,
      ],
      replacePart: [
        {
          counted: `
            UPDATE parts SET body = :body
            WHERE session = :session AND seq = :seq AND list = :list AND place = :place`,
        },
      ],
      removePart: [
        { counted: 'DELETE FROM parts WHERE session = :session AND seq = :seq AND list = :list AND place = :place' },
      ],
    },
    insertTransition: [
      `INSERT INTO transitions (session, seq, transition_id, turn_id, body)
       SELECT :session, ifnull(max(seq), -1) + 1, :transition_id, :turn_id, :body
       FROM transitions WHERE session = :session`,
    ],
    setMetadata: ['UPDATE sessions SET metadata = :metadata WHERE id = :session'],
    setSession: ['UPDATE sessions SET agent_id = :agent_id, ended = :ended WHERE id = :session'],
    setHead: [
      {
        counted: `
          UPDATE sessions SET updated_at = :updated_at, updated_key = :updated_key, revision = :revision,
            turn_count = :turn_count, transition_count = transition_count + :transitions_added
          WHERE id = :session`,
      },
    ],
    remember: [
      `INSERT INTO keys (session, seq, key, body)
       SELECT :session, ifnull(max(seq), -1) + 1, :key, :body FROM keys WHERE session = :session`,
      `DELETE FROM keys WHERE session = :session
       AND seq <= (SELECT max(seq) FROM keys WHERE session = :session) - ${REMEMBERED_CHANGES}`,
    ],
  },
  dialect,
)

const NAMES = `session_id workspace_id parent_session_id agent_id created_at created_key updated_at updated_key ended
  metadata extra revision turn_count transition_count`.split(/\s+/)

/** With the values of `sessionColumns`. */
export const insertSession = template(
  `INSERT INTO sessions (${NAMES.join(', ')}) VALUES (${NAMES.map(name => `:${name}`).join(', ')}) RETURNING id`,
  dialect,
)

export const replaceSession = template(
  `UPDATE sessions SET ${NAMES.map(name => `${name} = :${name}`).join(', ')} WHERE id = :session`,
  dialect,
)

/** Whatever is left of a session. */
export const deleteSession = [
  'DELETE FROM keys WHERE session = ?',
  'DELETE FROM transitions WHERE session = ?',
  'DELETE FROM parts WHERE session = ?',
  'DELETE FROM turns WHERE session = ?',
  'DELETE FROM sessions WHERE id = ?',
]
