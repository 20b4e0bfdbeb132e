// What a store does all day, in whichever runtime runs this.
import assert from 'node:assert/strict'
import { isTurnstoreError, SessionManager } from '../../packages/core/dist/index.js'

/** The session that is there afterwards, of 61 turns, the last of which is called `by the other`. */
export const SESSION = 'ü/1'

/**
 * Works with two handles on the same empty data, and closes neither.
 * @param {import('@turnstore/core').SessionStore} store
 * @param {import('@turnstore/core').SessionStore} other
 */
export async function smoke(store, other) {
  const manager = new SessionManager(store, { workspaceId: 'acme' })
  await manager.startSession({ agentId: 'support', sessionId: SESSION, metadata: { big: 1e17 } })
  await Promise.all(
    Array.from({ length: 64 }, (_, i) =>
      manager.recordTurn(SESSION, { turnId: `t${i}`, prompt: 'Where is my parcel?' }),
    ),
  )
  await manager.updateTurn(SESSION, 't7', { status: 'error' })
  await manager.recordToolCall(SESSION, 't7', { callId: 'c', toolName: 'lookup', result: [1, null] })
  await manager.recordAgentTransition(SESSION, { toAgent: 'billing' })

  const session = await other.loadSession(SESSION)
  assert.equal(session?.turns.length, 64)
  assert.equal(session.revision, 68)
  assert.deepEqual(session.turns.find(({ turnId }) => turnId === 't7')?.toolCalls[0]?.result, [1, null])
  await manager.rewindSession(SESSION, 60)
  await other.changeSession(SESSION, { appendTurns: [{ turnId: 'by the other' }], updatedAt: '' })
  await assert.rejects(other.changeSession(SESSION, { agentId: 'x', updatedAt: '' }, { ifRevision: 1 }), error =>
    isTurnstoreError(error, 'REVISION_CONFLICT'),
  )
  const page = await other.querySessions({ workspaceId: 'acme' })
  assert.deepEqual(
    page.sessions.map(each => [each.turnCount, each.revision]),
    [[61, 70]],
  )
  await manager.endSession(SESSION)
}
