import { type Dialect, PlanWriter, template } from '@turnstore/core/adapter/sql'

/** Postgres would have `position => `$${position}``. */
export const dialect: Dialect = { placeholder: () => '?' }

/** The statements of a change. Core names the values, and decides which statements a change needs. */
export const writer = new PlanWriter(
  {
    clear: [
      { counted: 'DELETE FROM turns WHERE session = :session' },
      'DELETE FROM transitions WHERE session = :session',
    ],
    rewind: [
      `DELETE FROM transitions WHERE session = :session AND :keep_turns <= (
         SELECT min(seq) FROM turns WHERE session = transitions.session AND turn_id = transitions.turn_id
       )`,
      `UPDATE sessions SET transition_count = (SELECT count(*) FROM transitions WHERE session = :session)
       WHERE id = :session`,
      { counted: 'DELETE FROM turns WHERE session = :session AND seq >= :keep_turns' },
    ],
    replaceTurn: [{ counted: 'UPDATE turns SET body = :body WHERE session = :session AND seq = :seq' }],
    insertTurn: ['INSERT INTO turns (session, seq, turn_id, body) VALUES (:session, :seq, :turn_id, :body)'],
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
  'DELETE FROM transitions WHERE session = ?',
  'DELETE FROM turns WHERE session = ?',
  'DELETE FROM sessions WHERE id = ?',
]
