import type { SessionStore } from '@turnstore/core'
import type { Question } from './read-routes.js'
import { required } from './parameters.js'

/** The states of a session as server-sent events, until the page leaves or the session is deleted. */
export async function* sessionEvents(store: SessionStore, { parameters, signal }: Question): AsyncGenerator<string> {
  const since = parameters.get('since')
  // The page learns at once that it is connected.
  yield ': watching\n\n'
  const options = since === null || since === '' ? { signal } : { signal, since }
  for await (const state of store.watchSession(required(parameters, 'id'), options)) {
    yield `data: ${JSON.stringify(state)}\n\n`
  }
}
