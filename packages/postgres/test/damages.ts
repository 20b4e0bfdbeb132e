/** Makes a session unreadable, with SQL in which `$1` is its id and `{name}` a table. */
export const damages: Readonly<Record<string, string>> = {
  'metadata that is cut': `UPDATE {sessions} SET metadata = '{"a":' WHERE session_id = $1`,
  'metadata that is an array': `UPDATE {sessions} SET metadata = '[]' WHERE session_id = $1`,
  'extra that is no JSON': `UPDATE {sessions} SET extra = 'x' WHERE session_id = $1`,
  'an agent that is no text': `UPDATE {sessions} SET agent_id = '"x' WHERE session_id = $1`,
  'a revision below 0': `UPDATE {sessions} SET revision = -1 WHERE session_id = $1`,
  'a turn too few': `DELETE FROM {turns} WHERE seq = 0 AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'no last turn': `DELETE FROM {turns} WHERE seq = 2 AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a count of more turns': `UPDATE {sessions} SET turn_count = turn_count + 1 WHERE session_id = $1`,
  'a count of fewer turns': `UPDATE {sessions} SET turn_count = turn_count - 1 WHERE session_id = $1`,
  'a turn that is cut': `UPDATE {turns} SET body = left(body, 20) WHERE seq = 0
    AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a turn of an invalid form': `UPDATE {turns} SET body = '{"turn_id":5}' WHERE seq = 2
    AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a turn with the id of another': `UPDATE {turns} SET turn_id = 'another' WHERE seq = 0
    AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'no parts': `DELETE FROM {parts} WHERE session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a part that is cut': `UPDATE {parts} SET body = left(body, 10) WHERE list = 1
    AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a part with the id of another': `UPDATE {parts} SET part_id = 'another' WHERE list = 0
    AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a count of fewer parts': `UPDATE {turns} SET items = items - 1 WHERE tool_calls IS NOT NULL
    AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a whole turn that is opened': `UPDATE {turns} SET tool_calls = NULL, items = NULL, bytes = NULL
    WHERE tool_calls IS NOT NULL AND session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'no transitions': `DELETE FROM {transitions} WHERE session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a transition that is cut': `UPDATE {transitions} SET body = left(body, 10)
    WHERE session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a transition with the id of another': `UPDATE {transitions} SET transition_id = 'another'
    WHERE session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a remembered change that is cut': `UPDATE {keys} SET body = left(body, 10)
    WHERE session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
  'a remembered change with the key of another': `UPDATE {keys} SET key = 'another'
    WHERE session = (SELECT id FROM {sessions} WHERE session_id = $1)`,
}
