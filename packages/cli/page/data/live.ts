import type { WatchedSession } from '@turnstore/core'
import { get, problemOf } from './api.ts'

export type Connection = 'connecting' | 'live' | 'lost'

interface Watcher {
  /** The token of the state that was seen last. */
  since(): string
  state(state: WatchedSession): void
  connection(connection: Connection): void
}

const RETRY_MS = 2000

/**
 * Watches a session while the tab is in view: browsers allow six connections to a server, so tabs in the background must
 * not hold one. Returns a function that ends the watch.
 */
export function watch(id: string, watcher: Watcher): () => void {
  let current: AbortController | null = null
  let timer = 0
  const begin = (): void => {
    if (document.hidden || current !== null) return
    const controller = new AbortController()
    current = controller
    void follow(id, watcher, controller.signal).then(isOver => {
      if (controller.signal.aborted) return
      current = null
      if (isOver) return
      watcher.connection('lost')
      timer = window.setTimeout(begin, RETRY_MS)
    })
  }
  const pause = (): void => {
    clearTimeout(timer)
    current?.abort()
    current = null
  }
  const onVisibility = (): void => (document.hidden ? pause() : begin())
  document.addEventListener('visibilitychange', onVisibility)
  begin()
  return () => {
    document.removeEventListener('visibilitychange', onVisibility)
    pause()
  }
}

/** True if the session is gone, so that there is nothing more to watch. */
async function follow(id: string, watcher: Watcher, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await get('events', { id, since: watcher.since() }, signal)
    watcher.connection('live')
    for await (const state of statesIn(response)) {
      watcher.state(state)
      if (state.deleted === true) return true
    }
  } catch (error) {
    problemOf(error)
  }
  return false
}

/** Server-sent events. Not an EventSource, which cannot send the token. */
async function* statesIn({ body }: Response): AsyncGenerator<WatchedSession> {
  if (body === null) return
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const events = (rest + value).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      if (!event.startsWith('data: ')) continue
      const state: unknown = JSON.parse(event.slice('data: '.length))
      if (isState(state)) yield state
    }
  }
}

/** The server is of the same build as the page. */
function isState(value: unknown): value is WatchedSession {
  return typeof value === 'object' && value !== null
}
