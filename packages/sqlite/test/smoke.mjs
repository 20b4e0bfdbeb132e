// `smoke.mjs FOLDER`, in the runtime that runs it.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'
import { SESSION, smoke } from '../../../scripts/testing/smoke.mjs'

const [folder = ''] = process.argv.slice(2)
const path = `${folder}/sessions.db`
const store = new SqliteSessionStore(path)
await store.ready()
const database = new Database(path)
database.pragma('synchronous = FULL')
const shared = new SqliteSessionStore(database)
await smoke(store, shared)
await shared.backup(`${folder}/backup.db`)
assert.deepEqual(await shared.checkIntegrity(), { ok: true, problems: [] })
await shared.close()
database.close()
await store.close()
assert.deepEqual(readdirSync(folder).toSorted(), ['backup.db', 'sessions.db'])

const copy = new SqliteSessionStore(`${folder}/backup.db`)
assert.equal((await copy.readTurns(SESSION, { last: 1 }))?.turns[0]?.turnId, 'by the other')
assert.equal(await copy.deleteSession(SESSION), true)
await copy.close()
console.log('all is well')
