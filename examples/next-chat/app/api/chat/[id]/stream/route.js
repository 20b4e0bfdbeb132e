import { UI_MESSAGE_STREAM_HEADERS } from 'ai'
import { chats } from '../../../../../lib/chats.mjs'
import { resumed } from '../../../../../lib/streams.mjs'

/** The answer that is under way, from its beginning. */
export async function GET(_request, { params }) {
  const { id } = await params
  const chat = await chats.loadChat(id)
  const stream = await resumed(chat?.activeStreamId ?? null)
  if (stream === null) return new Response(null, { status: 204 })
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers: UI_MESSAGE_STREAM_HEADERS })
}
