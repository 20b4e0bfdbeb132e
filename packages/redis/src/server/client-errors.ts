import type { RedisClient } from './redis-client.js'

type Hear = (error: unknown) => void

interface Audience {
  readonly hearers: Set<Hear>
  readonly listener: Hear
}

const audiences = new WeakMap<RedisClient, Audience>()

/**
 * Tells of the errors that a client emits, until what it gives is called. A client may be lent to any number of stores,
 * so all of them share one listener: from the eleventh on Node warns of a leak.
 */
export function hearErrors(client: RedisClient, hear: Hear): () => void {
  const audience = audiences.get(client) ?? gather(client)
  audience.hearers.add(hear)
  return () => {
    audience.hearers.delete(hear)
    if (audience.hearers.size > 0) return
    client.off('error', audience.listener)
    audiences.delete(client)
  }
}

function gather(client: RedisClient): Audience {
  const hearers = new Set<Hear>()
  const listener = (error: unknown): void => {
    for (const hear of hearers) hear(error)
  }
  const audience = { hearers, listener }
  client.on('error', listener)
  audiences.set(client, audience)
  return audience
}
