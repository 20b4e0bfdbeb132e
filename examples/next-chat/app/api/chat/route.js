import { convertToModelMessages, createUIMessageStreamResponse, stepCountIs, streamText, toUIMessageStream } from 'ai'
import { chats } from '../../../lib/chats.mjs'
import { model } from '../../../lib/model.mjs'
import { keep } from '../../../lib/streams.mjs'
import { repeatable, tools } from '../../../lib/tools.mjs'

/** Answers the last message of a chat: a new one, an edited one, one to answer anew, or one whose run has died. */
export async function POST(request) {
  const { id, message } = await request.json()
  const run = await chats.recordRun(id, { message, tools, repeatable })
  if (!run.isUnfinished) return new Response(null, { status: 204 })
  const streamId = crypto.randomUUID()
  await chats.setActiveStream(id, streamId)
  const result = streamText({
    model,
    instructions: 'You are a clerk in a tea shop.',
    messages: await convertToModelMessages(run.messages, { tools }),
    stopWhen: stepCountIs(10),
    ...run.settings,
  })
  const stream = toUIMessageStream({
    stream: result.stream,
    originalMessages: run.messages,
    generateMessageId: run.generateMessageId,
    async onEnd(event) {
      await run.onEnd(event)
      await chats.clearActiveStream(id, streamId)
    },
  })
  return createUIMessageStreamResponse({ stream, consumeSseStream: ({ stream }) => keep(streamId, stream) })
}
