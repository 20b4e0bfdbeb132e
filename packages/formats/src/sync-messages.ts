import {
  createSession,
  type JsonObject,
  mergeSession,
  type MergeResult,
  type MessageProblem,
  type SessionStore,
  TurnstoreError,
} from '@turnstore/core'
import { checkMembers, withOutcome } from '@turnstore/core/adapter'
import type { Format } from './format.js'
import { formatByName, recognize } from './formats.js'

export interface SyncMessagesOptions {
  /** The name of the format. Default: recognized by the content. */
  format?: string
  /** The workspace of the session; default none. */
  workspaceId?: string | null
  /** The agent of the session and of its turns; default null. */
  agentId?: string | null
  /** Added to the session's metadata. */
  metadata?: JsonObject
  /** Called for each problem. Without it, the first problem throws, and nothing is stored. */
  onProblem?: (problem: MessageProblem) => void
}

/**
 * Stores a list of messages as a session, or what has come to the list since. Pass the whole list each time. Nothing that
 * is stored is removed or changed: where the list says something else, `contradictions` names the place, and the session
 * keeps what it has. The same list again writes nothing.
 *
 * It reads the whole session, so use `manager.recordMessages` to record messages as they happen.
 *
 * @throws `INVALID_ARGUMENT` if the messages mix formats or have none that is known; `INVALID_RECORD`; the store's
 *   errors; `SESSION_EXISTS` if another workspace uses the id
 *
 * @example
 * await syncMessages(store, 'chat-1', messages) // { outcome: 'added', contradictions: [] }
 * messages.push(...answer)
 * await syncMessages(store, 'chat-1', messages) // { outcome: 'grown', contradictions: [] }
 */
export async function syncMessages(
  store: SessionStore,
  sessionId: string,
  messages: readonly unknown[],
  options: SyncMessagesOptions = {},
): Promise<MergeResult> {
  const session = withOutcome('not-stored', () => {
    checkMembers(options, 'options', ['format', 'workspaceId', 'agentId', 'metadata', 'onProblem'])
    const { format, workspaceId = null, agentId = null, metadata = {}, onProblem } = options
    if (!Array.isArray(messages)) throw new TurnstoreError('INVALID_ARGUMENT', 'messages must be an array')
    const turns = formatOf(messages, format).toTurns(messages, {
      agentId,
      ...(onProblem === undefined ? {} : { onProblem }),
    })
    return createSession({ sessionId, workspaceId, agentId, createdAt: '', updatedAt: '', metadata, turns })
  })
  return mergeSession(store, session, { at: new Date().toISOString() })
}

/** An empty list is of any format. */
function formatOf(messages: readonly unknown[], name = messages.length === 0 ? 'chat' : undefined): Format {
  if (name === undefined) {
    const found = recognize(messages)
    if ('format' in found) return found.format
    throw new TurnstoreError('INVALID_ARGUMENT', `messages ${found.problem}. Pass options.format to choose one`)
  }
  const format = formatByName(name)
  if (format === undefined) throw new TurnstoreError('INVALID_ARGUMENT', 'options.format is not the name of a format')
  return format
}
