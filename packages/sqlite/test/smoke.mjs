// What the store does all day, in whichever runtime runs this: `smoke.mjs FOLDER`.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { isTurnstoreError, SessionManager } from '@turnstore/core'
import { SqliteSessionStore } from '@turnstore/sqlite'
import Database from 'better-sqlite3'

const [folder = ''] = process.argv.slice(2)
const path = `${folder}/sessions.db`
const manager = new SessionManager(new SqliteSessionStore(path), { workspaceId: 'acme' })
const { sessionId } = await manager.startSession({ agentId: 'support', sessionId: 'ü/1', metadata: { big: 1e17 } })
await Promise.all(Array.from({ length: 64 }, (_, i) => manager.recordTurn(sessionId, { turnId: `t${i}`, prompt: 'Where is my parcel?' })))
await manager.updateTurn(sessionId, 't7', { status: 'error' })
await manager.recordToolCall(sessionId, 't7', { callId: 'c', toolName: 'lookup', result: [1, null] })
await manager.recordAgentTransition(sessionId, { toAgent: 'billing' })

const database = new Database(path)
const other = new SqliteSessionStore(database)
const session = await other.loadSession(sessionId)
assert.equal(session?.turns.length, 64)
assert.equal(session.revision, 68)
assert.deepEqual(session.turns[7]?.toolCalls[0]?.result, [1, null])
await manager.rewindSession(sessionId, 60)
await other.changeSession(sessionId, { appendTurns: [{ turnId: 'by the other' }], updatedAt: '' })
await assert.rejects(other.changeSession(sessionId, { agentId: 'x', updatedAt: '' }, { ifRevision: 1 }), error =>
  isTurnstoreError(error, 'REVISION_CONFLICT'),
)
const page = await other.querySessions({ workspaceId: 'acme' })
assert.deepEqual(page.sessions.map(each => [each.turnCount, each.revision]), [[61, 70]])
await manager.endSession(sessionId)
await other.backup(`${folder}/backup.db`)
assert.deepEqual(await other.checkIntegrity(), { ok: true, problems: [] })
await other.close()
database.close()
await manager.store.close()
assert.deepEqual(readdirSync(folder).toSorted(), ['backup.db', 'sessions.db'])

const last = new SqliteSessionStore(`${folder}/backup.db`)
assert.equal((await last.readTurns(sessionId, { last: 1 }))?.turns[0]?.turnId, 'by the other')
assert.equal(await last.deleteSession(sessionId), true)
await last.close()
console.log('all is well')
