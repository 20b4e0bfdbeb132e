import type { RedisClient } from './redis-client.js'

type Listener = (error: unknown) => void

interface Subscription {
  readonly listeners: Set<Listener>
  readonly onError: Listener
}

const subscriptions = new WeakMap<RedisClient, Subscription>()

/**
 * Subscribes to the error events of a client. Returns a function that unsubscribes. All stores on one client share a
 * listener, since Node warns of a leak from the eleventh on.
 */
export function onClientError(client: RedisClient, listener: Listener): () => void {
  const subscription = subscriptions.get(client) ?? subscribe(client)
  subscription.listeners.add(listener)
  return () => {
    subscription.listeners.delete(listener)
    if (subscription.listeners.size > 0) return
    client.off('error', subscription.onError)
    subscriptions.delete(client)
  }
}

function subscribe(client: RedisClient): Subscription {
  const listeners = new Set<Listener>()
  const onError = (error: unknown): void => {
    for (const listener of listeners) listener(error)
  }
  client.on('error', onError)
  const subscription = { listeners, onError }
  subscriptions.set(client, subscription)
  return subscription
}
