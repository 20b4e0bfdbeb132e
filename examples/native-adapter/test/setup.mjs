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
const damage = statement => (store, sessionId) => {
  const database = new DatabaseSync(paths.get(store))
  database.prepare(`PRAGMA busy_timeout = 10000`).get()
  const { changes } = database.prepare(statement).run(sessionId)
  database.close()
  if (changes !== 1) throw new Error(`${changes} rows were damaged by ${statement}`)
}

/** A tool call of the suite's second turn, which is so large that it is stored opened. */
const PART = `part_id = 'c' AND session ${OF_SESSION}`

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
    'a part that is not JSON': damage(`UPDATE parts SET body = '{' WHERE ${PART}`),
    'a part of another form': damage(`UPDATE parts SET body = '[]' WHERE ${PART}`),
    'a part with another id': damage(`UPDATE parts SET part_id = 'x' WHERE ${PART}`),
    'a part of another list': damage(`UPDATE parts SET list = 1, place = 9 WHERE ${PART}`),
    'a missing part': damage(`DELETE FROM parts WHERE ${PART}`),
    'a head with parts in it': damage(
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
