import { applyChange, isTurnstoreError, type SessionRecord, type TurnRecord, TurnstoreError } from '@turnstore/core'
import { sessionExists, sessionNotFound } from '@turnstore/core/adapter'
import { FORMAT } from '../messages/message.js'
import { ACTIVE_STREAM } from './active-stream.js'
import { asItIs, type Wanted } from './align.js'
import type { ChatLog } from './chat-log.js'
import { exchangeOf, isAhead } from './exchange.js'
import { planSave } from './plan-save.js'
import { marked, markOf } from './run-mark.js'

/**
 * Copies a chat up to a message, which is the last one of the copy.
 * @throws `SESSION_NOT_FOUND`, `SESSION_EXISTS`; `INVALID_ARGUMENT` if the chat has no such message
 */
export async function fork(chat: ChatLog, messageId: string, forkId: string): Promise<void> {
  const { store } = chat.place
  const session = await store.loadSession(chat.chatId, chat.scope())
  if (session === null) throw sessionNotFound(chat.chatId)
  const now = new Date().toISOString()
  const { change } = planSave(session.turns.length, upTo(session, messageId), { now, agentId: chat.place.agentId })
  const unsetMetadata = ['ended', ACTIVE_STREAM]
  const copy = applyChange(session, { ...change, unsetMetadata, updatedAt: now }).session
  const { revision: _revision, ...record } = copy
  const turns = record.turns.map(withoutRun)
  const forked = { ...record, turns, sessionId: forkId, parentSessionId: chat.chatId, createdAt: now, updatedAt: now }
  try {
    await store.saveSession(forked, { ifRevision: 0 })
  } catch (error) {
    throw isTurnstoreError(error, 'REVISION_CONFLICT') ? sessionExists(forkId) : error
  }
}

/** A run answers the chat that it began in, not its copies. */
function withoutRun(turn: TurnRecord): TurnRecord {
  const mark = markOf(turn)
  if (mark === null) return turn
  const { [FORMAT]: _mark, ...metadata } = turn.metadata
  // Steps that are no message yet need the id of theirs.
  const kept = isAhead(turn) ? marked({ runId: null, messageId: mark.messageId }) : {}
  return { ...turn, metadata: { ...metadata, ...kept } }
}

function upTo(session: SessionRecord, messageId: string): Wanted[] {
  const exchanges = session.turns.map(exchangeOf)
  const index = exchanges.findLastIndex(({ messages }) => messages.some(({ id }) => id === messageId))
  const last = exchanges[index]
  if (last === undefined) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'The chat has no message with this id', {
      outcome: 'not-stored',
      sessionId: session.sessionId,
    })
  }
  const end = last.messages.findLastIndex(({ id }) => id === messageId) + 1
  const isWhole = end === last.messages.length && !isAhead(last.turn)
  const ending = isWhole ? asItIs(last) : { before: last, messages: last.messages.slice(0, end) }
  return [...exchanges.slice(0, index).map(asItIs), ending]
}
