import { type SessionStore, SessionManager } from '../../packages/core/dist/index.js'
import { momentsOf } from './machine.ts'

/** Texts of many sizes, in every member that holds what people said, recorded, changed and recorded again. */
export async function converse(store: SessionStore, sessionId: string, secret: string, seed: number): Promise<void> {
  const moments = momentsOf(seed)
  const text = (): string => `${secret}:${'x'.repeat(2 ** Math.floor(moments.next().value * 15))}:${secret}`
  const manager = new SessionManager(store)
  await manager.startSession({ sessionId, agentId: secret, metadata: { title: text(), [secret]: 1 } })
  for (let turn = 0; turn < 12; turn++) {
    const turnId = `${secret}-${turn}`
    await manager.recordTurn(sessionId, { turnId, prompt: text(), status: 'running', metadata: { note: text() } })
    for (let call = 0; call < 3; call++) {
      const running = { callId: `c${call}`, toolName: 'f', arguments: { q: text() }, status: 'running' }
      await manager.recordToolCall(sessionId, turnId, running)
      await manager.recordToolCall(sessionId, turnId, { ...running, status: 'success', result: text() })
    }
    await manager.updateTurn(sessionId, turnId, { responseContent: text() })
    await manager.updateTurn(sessionId, turnId, { responseContent: text(), status: 'success', error: text() })
  }
  await manager.recordMessages(sessionId, [
    { role: 'user', content: text() },
    { role: 'assistant', content: text() },
  ])
  await manager.updateSession(sessionId, { metadata: { title: text() } }, { idempotencyKey: secret })
}
