import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import openStore from './open-store.mjs'

const paths = new WeakMap()
const open = path => {
  const store = openStore(path)
  paths.set(store, path)
  return store
}

const OF_SESSION = '= (SELECT id FROM sessions WHERE session_id = ?)'
const damage =
  (...statements) =>
  (store, sessionId) => {
    const database = new DatabaseSync(paths.get(store))
    database.prepare(`PRAGMA busy_timeout = 10000`).get()
    for (const statement of statements) database.prepare(statement).run(sessionId)
    database.close()
  }

/** Opens the turn and gives it a tool call, for damage that only an opened turn can have. */
const opened = [
  `UPDATE turns SET body = json_remove(body, '$.tool_calls', '$.items'), tool_calls = 1, items = 0, bytes = 200
   WHERE seq = 1 AND session ${OF_SESSION}`,
  `INSERT INTO parts (session, seq, list, place, part_id, body)
   SELECT id, 1, 0, 0, 'c', '{"call_id":"c","tool_name":"search"}' FROM sessions WHERE session_id = ?`,
]

/** @type {import('@turnstore/conformance').StoreSetup} */
export default {
  name: 'NodeSqliteSessionStore',
  open: () => open(join(mkdtempSync(join(tmpdir(), 'turnstore-node-sqlite-')), 'sessions.db')),
  reopen: store => open(paths.get(store)),
  child: store => ({ module: new URL('open-store.mjs', import.meta.url), args: paths.get(store) }),
  damages: {
    'a turn that is not JSON': damage(`UPDATE turns SET body = '{' WHERE seq = 1 AND session ${OF_SESSION}`),
    'a turn of another form': damage(`UPDATE turns SET body = '[]' WHERE seq = 1 AND session ${OF_SESSION}`),
    'a turn with another id': damage(`UPDATE turns SET turn_id = 'x' WHERE seq = 1 AND session ${OF_SESSION}`),
    'a missing turn': damage(`DELETE FROM turns WHERE seq = 1 AND session ${OF_SESSION}`),
    'a part that is not JSON': damage(...opened, `UPDATE parts SET body = '{' WHERE session ${OF_SESSION}`),
    'a part of another form': damage(...opened, `UPDATE parts SET body = '[]' WHERE session ${OF_SESSION}`),
    'a part with another id': damage(...opened, `UPDATE parts SET part_id = 'x' WHERE session ${OF_SESSION}`),
    'a part of another list': damage(...opened, `UPDATE parts SET list = 1 WHERE session ${OF_SESSION}`),
    'a missing part': damage(...opened, `DELETE FROM parts WHERE session ${OF_SESSION}`),
    'a head with parts in it': damage(
      ...opened,
      `UPDATE turns SET body = json_set(body, '$.items', json('[{"item_id":"i","format":"x","value":1}]'))
       WHERE seq = 1 AND session ${OF_SESSION}`,
    ),
    'too many turns counted': damage('UPDATE sessions SET turn_count = turn_count + 1 WHERE session_id = ?'),
    'too few turns counted': damage('UPDATE sessions SET turn_count = turn_count - 1 WHERE session_id = ?'),
    'a missing agent transition': damage(`DELETE FROM transitions WHERE session ${OF_SESSION}`),
    'an agent transition that is not JSON': damage(`UPDATE transitions SET body = '{' WHERE session ${OF_SESSION}`),
    'an agent transition of another turn': damage(`UPDATE transitions SET turn_id = 'x' WHERE session ${OF_SESSION}`),
    'metadata that is not JSON': damage(`UPDATE sessions SET metadata = '{' WHERE session_id = ?`),
    'an agent that is not text as it was stored': damage(`UPDATE sessions SET agent_id = '"' WHERE session_id = ?`),
  },
  destroy: store => rmSync(dirname(paths.get(store)), { recursive: true, force: true }),
}
