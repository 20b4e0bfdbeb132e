import { type SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'

const OF_SESSION = '(SELECT id FROM turnstore_sessions WHERE session_id = ?)'
const PLACE = `turnstore_places WHERE is_head = 0 AND seq = 1 AND session = ${OF_SESSION}`
const HEAD = `is_head = 1 AND session = ${OF_SESSION}`

/** Each kind of data that the store keeps, in each way in which it can be wrong. */
const statements: Readonly<Record<string, string>> = {
  'a turn that is not JSON': `UPDATE turnstore_turns SET body = '{' WHERE seq = 1 AND session = ${OF_SESSION}`,
  'a turn that is not an object': `UPDATE turnstore_turns SET body = '[]' WHERE seq = 1 AND session = ${OF_SESSION}`,
  'a turn that is missing': `DELETE FROM turnstore_turns WHERE seq = 1 AND session = ${OF_SESSION}`,
  'a turn with another position': `UPDATE turnstore_turns SET seq = 7 WHERE seq = 1 AND session = ${OF_SESSION}`,
  'a place that is missing': `DELETE FROM ${PLACE}`,
  'a place that leads nowhere': `UPDATE turnstore_places SET turn = NULL WHERE is_head = 0 AND seq = 1 AND session = ${OF_SESSION}`,
  'a place that leads to another turn': `UPDATE turnstore_places SET turn = turn + 1 WHERE is_head = 0 AND seq = 1 AND session = ${OF_SESSION}`,
  'a place with another id': `UPDATE turnstore_places SET turn_id = 'x' WHERE is_head = 0 AND seq = 1 AND session = ${OF_SESSION}`,
  'a place without an id': `UPDATE turnstore_places SET turn_id = NULL WHERE is_head = 0 AND seq = 1 AND session = ${OF_SESSION}`,
  'an indexed id without a turn': `INSERT INTO turnstore_turn_ids SELECT id, 'x', 1 FROM turnstore_sessions WHERE session_id = ?`,
  'a head that is missing': `DELETE FROM turnstore_places WHERE ${HEAD}`,
  'a head in the wrong place': `UPDATE turnstore_places SET seq = 1 WHERE ${HEAD}`,
  'too few turns counted': `UPDATE turnstore_places SET turn_count = turn_count - 1 WHERE ${HEAD}`,
  'too many turns counted': `UPDATE turnstore_places SET turn_count = turn_count + 1 WHERE ${HEAD}`,
  'counted transitions that are missing': `UPDATE turnstore_places SET transition_count = 2 WHERE ${HEAD}`,
  'no revision': `UPDATE turnstore_places SET revision = NULL WHERE ${HEAD}`,
  'no time of change': `UPDATE turnstore_places SET updated_at = NULL WHERE ${HEAD}`,
  'a transition that is missing': `DELETE FROM turnstore_transitions WHERE session = ${OF_SESSION}`,
  'a transition that is not JSON': `UPDATE turnstore_transitions SET body = '{' WHERE session = ${OF_SESSION}`,
  'a transition with another id': `UPDATE turnstore_transitions SET transition_id = 'y' WHERE session = ${OF_SESSION}`,
  'a transition of another turn': `UPDATE turnstore_transitions SET turn_id = 'y' WHERE session = ${OF_SESSION}`,
  'metadata that is not JSON': `UPDATE turnstore_details SET metadata = '{' WHERE session = ${OF_SESSION}`,
  'metadata that is missing': `DELETE FROM turnstore_details WHERE session = ${OF_SESSION}`,
  'members of a newer writer that are not an object': `UPDATE turnstore_details SET extra = '7' WHERE session = ${OF_SESSION}`,
  'an invalid agent': `UPDATE turnstore_sessions SET agent_id = '"x' WHERE session_id = ?`,
  'an invalid time of creation': `UPDATE turnstore_sessions SET created_at = '"x' WHERE session_id = ?`,
}

const TURN = `seq = 1 AND session = ${OF_SESSION}`
/** The tool call of the turn at 1, which is so large that it is opened. */
const PART = `part_id = 'c' AND session = ${OF_SESSION}`

/** The same for an opened turn and its parts. */
const statementsOnParts: Readonly<Record<string, string>> = {
  'a part that is missing': `DELETE FROM turnstore_parts WHERE ${PART}`,
  'a part that is not JSON': `UPDATE turnstore_parts SET body = '{' WHERE ${PART}`,
  'a part that is not a tool call': `UPDATE turnstore_parts SET body = '{"call_id":"c"}' WHERE ${PART}`,
  'a part with another id': `UPDATE turnstore_parts SET part_id = 'x' WHERE ${PART}`,
  'a part of another list': `UPDATE turnstore_parts SET list = 1, place = 9 WHERE ${PART}`,
  'a part of another turn': `UPDATE turnstore_parts SET turn = turn + 1 WHERE ${PART}`,
  'a part of another session': `UPDATE turnstore_parts SET session = session + 1 WHERE ${PART}`,
  'too few parts counted': `UPDATE turnstore_places SET tool_calls = 0 WHERE is_head = 0 AND ${TURN}`,
  'too many parts counted': `UPDATE turnstore_places SET items = items + 1 WHERE is_head = 0 AND ${TURN}`,
  'no number of parts': `UPDATE turnstore_places SET items = NULL WHERE is_head = 0 AND ${TURN}`,
  'an opened turn that is marked as whole': `UPDATE turnstore_turns SET opened = 0 WHERE ${TURN}`,
  'an opened turn in the place of a whole one': `UPDATE turnstore_places SET tool_calls = NULL WHERE is_head = 0 AND ${TURN}`,
  'the head of an opened turn that is missing': `DELETE FROM turnstore_turns WHERE ${TURN}`,
  'the head of an opened turn that is not JSON': `UPDATE turnstore_turns SET body = '{' WHERE ${TURN}`,
}

const kinds: readonly (readonly [name: string, sql: string])[] = Object.entries({ ...statements, ...statementsOnParts })

/** Each uses its own handle. */
export const damagesIn = (
  pathOf: (store: SqliteSessionStore) => string,
): Record<string, (store: SqliteSessionStore, sessionId: string) => void> =>
  Object.fromEntries(
    kinds.map(([name, sql]) => [
      name,
      (store, sessionId) => {
        const database = new Database(pathOf(store))
        const { changes } = database.prepare(sql).run(sessionId)
        database.close()
        if (changes !== 1) throw new Error(`${name}: ${changes} rows were damaged`)
      },
    ]),
  )
