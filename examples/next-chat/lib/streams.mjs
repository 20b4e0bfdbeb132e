import { after } from 'next/server'
import { createResumableStreamContext } from 'resumable-stream/ioredis'
import { consumeStream } from 'ai'

/** Streams that a page resumes when it is loaded again. They need a Redis: set REDIS_URL. */
const streams = process.env.REDIS_URL === undefined ? null : createResumableStreamContext({ waitUntil: after })

/** Reads the stream to its end, so that the run goes on when the page is closed. */
export async function keep(streamId, stream) {
  if (streams === null) await consumeStream({ stream })
  else await streams.createNewResumableStream(streamId, () => stream)
}

export async function resumed(streamId) {
  return streamId === null ? null : ((await streams?.resumeExistingStream(streamId)) ?? null)
}
