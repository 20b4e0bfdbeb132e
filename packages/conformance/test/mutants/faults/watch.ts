import type { WatchedSession } from '@turnstore/core'
import { inMemory } from '../mutant.ts'
import type { Faults } from '../row-store.ts'

/** Watches that miss a state, repeat one, show too much or never end. */
export const watch = inMemory('watch', {
  'gives the present state only': ['a promise, not a stream', watching((seen, index) => (index === 0 ? seen : null))],
  'begins with the first change': [
    'a listener without a look',
    watching((seen, index) => (index === 0 ? 'skip' : seen)),
  ],
  'ignores what a watch has seen': [
    'an option that is not passed on',
    called(([id, { since: _since, ...options }]) => [id, options]),
  ],
  'ignores the workspace of a watch': [
    'an id without its scope',
    called(([id, { workspaceId: _workspaceId, ...options }]) => [id, options]),
  ],
  'goes on after a signal has aborted': [
    'an option that is not passed on',
    called(([id, { signal: _signal, ...options }]) => [id, options]),
  ],
  'ends without a word when the session is deleted': [
    'break in the loop',
    watching(seen => (seen.deleted === true ? null : seen)),
  ],
  'shows the status with which the last turn began': [
    'a state that is kept from the first look',
    watching(seen =>
      seen.deleted === true || seen.lastTurn === null
        ? seen
        : { ...seen, lastTurn: { ...seen.lastTurn, status: 'running' } },
    ),
  ],
  'names a state by its revision': [
    'the revision as the token',
    {
      around(next, method, args) {
        if (method !== 'watchSession') return next(...args)
        const [id, options] = optionsOf(args)
        const since = options.since === undefined ? {} : { since: '' }
        return changed(next(id, { ...options, ...since }), seen => {
          if (seen.deleted === true) return seen
          const token = `${seen.revision}`
          return token === options.since ? 'skip' : { ...seen, token }
        })
      },
    },
  ],
  'takes any options': [
    'options as they come',
    {
      around(next, method, args) {
        if (method !== 'watchSession') return next(...args)
        const [id, { since, signal, workspaceId }] = optionsOf(args)
        return next(id, {
          ...(typeof since === 'string' ? { since } : {}),
          ...(signal instanceof AbortSignal ? { signal } : {}),
          ...(workspaceId === undefined ? {} : { workspaceId }),
        })
      },
    },
  ],
})

interface Options {
  readonly since?: unknown
  readonly signal?: unknown
  readonly workspaceId?: unknown
}

function optionsOf(args: readonly unknown[]): [id: unknown, options: Options] {
  const [id, options] = args
  return [id, typeof options === 'object' && options !== null ? options : {}]
}

/** With other arguments. */
function called(change: (args: [id: unknown, options: Options]) => unknown[]): Faults {
  return {
    around: (next, method, args) => (method === 'watchSession' ? next(...change(optionsOf(args))) : next(...args)),
  }
}

type Change = (seen: WatchedSession, index: number) => WatchedSession | 'skip' | null

/** Each state as something else; null ends the watch. */
function watching(change: Change): Faults {
  return {
    around: (next, method, args) => (method === 'watchSession' ? changed(next(...args), change) : next(...args)),
  }
}

async function* changed(states: unknown, change: Change): AsyncGenerator<WatchedSession> {
  if (!isWatch(states)) return
  let index = 0
  for await (const seen of states) {
    const other = change(seen, index++)
    if (other === null) return
    if (other !== 'skip') yield other
  }
}

function isWatch(value: unknown): value is AsyncIterable<WatchedSession> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
