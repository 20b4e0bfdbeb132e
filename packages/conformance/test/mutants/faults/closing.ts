import { TurnstoreError } from '@turnstore/core'
import { inMemory } from '../mutant.ts'
import { latency } from '../row-store.ts'

/** Stores that do not end, end too early, or go on afterwards. */
export const closing = inMemory('closing', {
  'serves calls after it was closed': [
    'close() is a stub',
    { around: (next, method, args) => (method === 'close' ? Promise.resolve() : next(...args)) },
  ],
  'serves reads after it was closed': [
    'only writes look whether it is open',
    () => {
      let isClosed = false
      return {
        around(next, method, args) {
          if (method === 'close') isClosed = true
          return isClosed && method === 'listSessions' ? Promise.resolve([]) : next(...args)
        },
      }
    },
  ],
  'refuses calls that were under way when it was closed': [
    'the connection is closed at once',
    () => {
      let isClosed = false
      return {
        async load(next, id, scope) {
          const found = await next(id, scope)
          if (isClosed) throw new TurnstoreError('STORE_CLOSED', 'closed')
          return found
        },
        around(next, method, args) {
          if (method === 'close') isClosed = true
          return next(...args)
        },
      }
    },
  ],
  'is closed before its calls have ended': [
    'close() does not wait',
    {
      around(next, method, args) {
        const result = next(...args)
        if (method !== 'close') return result
        void Promise.resolve(result).catch(() => {})
        return Promise.resolve()
      },
      load: async (next, id, scope) => {
        await new Promise(resolve => setTimeout(resolve, 5))
        return next(id, scope)
      },
    },
  ],
  'fails when it is closed twice': [
    'a connection that is closed already',
    () => {
      let times = 0
      return {
        around: (next, method, args) =>
          method === 'close' && times++ > 0
            ? Promise.reject(new TurnstoreError('STORE_CLOSED', 'closed already'))
            : next(...args),
      }
    },
  ],
  'fails to close where it was never used': [
    'a connection that was never made',
    () => {
      let isUsed = false
      return {
        ready: async () => {
          isUsed = true
        },
        close: async () => {
          if (!isUsed) throw new Error('not connected')
        },
      }
    },
  ],
  'needs to be told to get ready': [
    'connect() is left to the caller',
    () => {
      let isReady = false
      return {
        around(next, method, args) {
          if (method === 'ready') isReady = true
          const isCall = method !== 'ready' && method !== 'close' && method !== 'reopen' && method !== 'sessions'
          return isCall && !isReady
            ? Promise.reject(new TurnstoreError('STORE_UNAVAILABLE', 'not connected'))
            : next(...args)
        },
      }
    },
  ],
  'is ready once': [
    'a connection that is made again',
    () => {
      let times = 0
      return {
        around: (next, method, args) =>
          method === 'ready' && times++ > 0
            ? Promise.reject(new TurnstoreError('STORE_UNAVAILABLE', 'connected already'))
            : next(...args),
      }
    },
  ],
  'says that a closed store is busy': [
    'the code of another state',
    {
      around: (next, _method, args) => {
        const result = next(...args)
        return result instanceof Promise
          ? result.catch((error: unknown) => {
              throw isClosed(error) ? new TurnstoreError('STORE_BUSY', 'closed', { outcome: 'not-stored' }) : error
            })
          : result
      },
    },
  ],
  'gives null where it is closed': [
    'a failed read is no session',
    {
      around: (next, method, args) => {
        const result = next(...args)
        return result instanceof Promise && (method === 'loadSession' || method === 'loadSummary')
          ? result.catch(() => null)
          : result
      },
    },
  ],
  'loses what was written while it closed': [
    'a buffer that close() throws away',
    () => {
      let isClosing = false
      return {
        around(next, method, args) {
          if (method === 'close') isClosing = true
          return next(...args)
        },
        async save(next, session, token) {
          await latency()
          return isClosing ? true : next(session, token)
        },
      }
    },
  ],
  'ends an iteration early where it is closed': [
    'an error is taken for the end of the list',
    {
      around: (next, method, args) => {
        const result = next(...args)
        return method === 'sessions' && isIterable(result) ? quietly(result) : result
      },
    },
  ],
  'closes the data under its other handles': [
    'one connection for all handles, and no count of them',
    {
      close: async function () {
        this.memory.put = () => Promise.reject(new Error('closed'))
      },
    },
  ],
  'fails when it is closed': [
    'an error of a connection that is gone anyway',
    { close: () => Promise.reject(new Error('gone')) },
  ],
  'never ends when it is closed': [
    'it waits for a connection that waits for it',
    { close: () => new Promise(() => {}) },
  ],
  'fails when it is disposed after it was closed': [
    'await using, in a block that closes by itself too',
    () => {
      let isClosed = false
      return {
        around(next, method, args) {
          if (method === 'close') isClosed = true
          return next(...args)
        },
        async dispose(next) {
          if (isClosed) throw new TurnstoreError('STORE_CLOSED', 'closed already')
          await next()
        },
      }
    },
  ],
  'stays open when it is disposed': ['a stub, so that the interface is complete', { dispose: async () => {} }],
  'does not wait for its calls when it is disposed': [
    'the way out that is meant for errors',
    {
      async dispose(next) {
        void next().catch(() => {})
      },
      load: async (next, id, scope) => {
        await new Promise(resolve => setTimeout(resolve, 5))
        return next(id, scope)
      },
    },
  ],
  'opens anew when it was closed unused': [
    'close() looks whether there is a connection, and does nothing without one',
    () => {
      let isUsed = false
      return {
        around(next, method, args) {
          if (method === 'close' && !isUsed) return Promise.resolve()
          isUsed ||= method !== 'close'
          return next(...args)
        },
      }
    },
  ],
  'fails to get ready when it is closed meanwhile': [
    'a connection that is given up before it was made',
    () => {
      let isClosed = false
      return {
        around(next, method, args) {
          if (method === 'close') isClosed = true
          const result = next(...args)
          if (method !== 'ready') return result
          return Promise.resolve(result).then(() => {
            if (isClosed) throw new TurnstoreError('STORE_CLOSED', 'closed')
          })
        },
      }
    },
  ],
  'takes back what it declared when it is closed': [
    'what it declares is asked of a connection that is gone',
    {
      close: async function (next) {
        await next()
        Reflect.set(this, 'capabilities', { ...this.capabilities, durability: 'unknown' })
      },
    },
  ],
  'fails to close where a call under way fails': [
    'Promise.all in place of Promise.allSettled',
    () => {
      const underWay = new Set<Promise<unknown>>()
      return {
        around(next, method, args) {
          const result = next(...args)
          if (!(result instanceof Promise)) return result
          if (method !== 'close') {
            const end = (): boolean => underWay.delete(result)
            underWay.add(result)
            result.then(end, end)
            return result
          }
          const calls = Promise.all(underWay)
          calls.catch(() => {})
          return result.then(() => calls)
        },
      }
    },
  ],
  'says that it is closed of a call that failed while it was': [
    'a catch that looks at the state first',
    () => {
      let isClosing = false
      return {
        around(next, method, args) {
          if (method === 'close') isClosing = true
          const result = next(...args)
          if (!(result instanceof Promise)) return result
          return result.catch((error: unknown) => {
            throw isClosing && method !== 'close'
              ? new TurnstoreError('STORE_CLOSED', 'closed', { outcome: 'not-stored' })
              : error
          })
        },
      }
    },
  ],
})

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_CLOSED'
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

async function* quietly(items: AsyncIterable<unknown>): AsyncGenerator {
  try {
    yield* items
  } catch (error) {
    if (!isClosed(error)) throw error
  }
}
