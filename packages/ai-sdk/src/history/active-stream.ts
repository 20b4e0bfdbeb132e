import type { JsonObject } from '@turnstore/core'
import type { ChatLog } from './chat-log.js'

/** In the metadata of the session. */
export const ACTIVE_STREAM = 'activeStreamId'

export function activeStreamOf(metadata: JsonObject): string | null {
  const streamId = metadata[ACTIVE_STREAM]
  return typeof streamId === 'string' ? streamId : null
}

/** @throws `SESSION_NOT_FOUND` */
export async function setActiveStream(chat: ChatLog, streamId: string): Promise<void> {
  await chat.place.store.changeSession(chat.chatId, { setMetadata: { [ACTIVE_STREAM]: streamId } }, chat.scope())
}

/** Leaves a stream that has begun since. */
export async function clearActiveStream(chat: ChatLog, streamId: string): Promise<boolean> {
  return chat.retry(async () => {
    const summary = await chat.summary()
    if (summary === null || activeStreamOf(summary.metadata) !== streamId) return false
    await chat.change({ unsetMetadata: [ACTIVE_STREAM] }, summary.revision)
    return true
  })
}
