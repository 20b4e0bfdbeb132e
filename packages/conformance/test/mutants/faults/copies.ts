import type { SessionPage, SessionSummary, TurnRecord } from '@turnstore/core'
import { inMemory } from '../mutant.ts'

/** Objects that are shared with whoever handed them in or got them out. */
export const copies = inMemory('copies', {
  'gives out the objects that it keeps': ['a map is the store, and a getter its API', { read: record => record }],
  'keeps the record of the caller when it has to wait': [
    'an await before the arguments are copied',
    {
      around: (next, method, args) => (method === 'saveSession' ? later(() => next(...args)) : next(...args)),
    },
  ],
  'keeps the change of the caller when it has to wait': [
    'a queue of calls, copied when their turn comes',
    {
      around: (next, method, args) => (method === 'changeSession' ? later(() => next(...args)) : next(...args)),
    },
  ],
  'reads its options after an await': [
    'a connection is awaited first',
    { around: (next, method, args) => (method === 'deleteSession' ? later(() => next(...args)) : next(...args)) },
  ],
  'reads a query when its iteration begins': [
    'an async generator does not run before its first next()',
    {
      around: (next, method, args) => (method === 'sessions' ? lazily(() => next(...args)) : next(...args)),
    },
  ],
  'gives two readers one object': [
    'reads that are under way at once are joined',
    () => {
      const underWay = new Map<string, Promise<unknown>>()
      return {
        around(next, method, args) {
          if (method !== 'loadSession' || args.length > 1) return next(...args)
          const key = String(args[0])
          const reading = underWay.get(key) ?? Promise.resolve(next(...args)).finally(() => underWay.delete(key))
          underWay.set(key, reading)
          return reading
        },
      }
    },
  ],
  'gives out the metadata that it keeps in summaries': [
    'a shallow copy of the head of a record',
    {
      async loadSummary(next, id, scope) {
        const summary = await next(id, scope)
        const kept = this.kept(id)
        return summary && kept ? { ...summary, metadata: kept.metadata } : summary
      },
    },
  ],
  'gives out the turns that it keeps in pages': [
    'slice() copies the list and not the turns',
    {
      async readTurns(next, id, range, scope) {
        const page = await next(id, range, scope)
        const kept = this.kept(id)
        if (page === null || kept === undefined) return page
        return { ...page, turns: kept.turns.slice(page.firstIndex, page.firstIndex + page.turns.length) }
      },
    },
  ],
  'gives out the parts that it keeps': [
    'slice() copies the list and not the parts',
    {
      async readParts(store, next, id, turnId, range, scope) {
        const page = await next(id, turnId, range, scope)
        const items = store.kept(id)?.turns.findLast(turn => turn.turnId === turnId)?.items
        for (const [index, part] of page?.parts.entries() ?? []) {
          const kept = items?.[index]
          if (kept && 'value' in part) part.value = kept.value
        }
        return page
      },
    },
  ],
  'gives out the metadata that it keeps in heads': [
    'a shallow copy of the head of a turn',
    {
      async readHeads(next, id, range, scope) {
        const page = await next(id, range, scope)
        const kept = this.kept(id)
        if (page === null || kept === undefined) return page
        const turns = page.turns.map((turn, at) => ({
          ...turn,
          metadata: kept.turns[page.firstIndex + at]?.metadata ?? {},
        }))
        return { ...page, turns }
      },
    },
  ],
  'gives out the results that it remembers': [
    'the first result is kept as an object',
    () => {
      const known = new Map<string, string[]>()
      return {
        async change(next, id, change, on) {
          const result = await next(id, change, on)
          if (on.idempotency === undefined || result.skipped === undefined) return result
          const skipped = known.get(on.idempotency.key) ?? result.skipped
          known.set(on.idempotency.key, skipped)
          return { ...result, skipped }
        },
      }
    },
  ],
  'reads what to create after an await': [
    'a connection is awaited first, with the options in hand',
    {
      around(next, method, args) {
        const [id, change, options] = args
        if (method !== 'changeSession' || !isCreation(options)) return next(...args)
        return later(() => next(id, change, options))
      },
    },
  ],
  'gives out the list that it caches': [
    'the list of ids is kept between writes',
    () => {
      let cached: string[] | undefined
      return {
        async list(next, scope) {
          if (scope !== undefined) return next(scope)
          cached ??= await next(scope)
          return cached
        },
        save: (next, ...args) => next(...args).finally(() => (cached = undefined)),
        delete: (next, ...args) => next(...args).finally(() => (cached = undefined)),
      }
    },
  ],
  'copies metadata one level deep': [
    'a spread for a copy',
    {
      read: record => ({
        ...structuredClone(record),
        metadata: { ...record.metadata },
      }),
    },
  ],
  'freezes what it gives out': [
    'results are frozen so that a cache stays clean',
    {
      read: record => structuredClone(record),
      around: async (next, method, args) => {
        const result = await next(...args)
        return method === 'loadSession' && typeof result === 'object' ? Object.freeze(result) : result
      },
    },
  ],
  'reads what is no list of a change after an await': [
    'its lists are copied, its numbers and texts are not',
    {
      around(next, method, args) {
        const [id, change, ...rest] = args
        if (method !== 'changeSession' || typeof change !== 'object' || change === null) return next(...args)
        const copy = structuredClone(change)
        return later(() => {
          const keepTurns: unknown = Reflect.get(change, 'keepTurns')
          return next(id, keepTurns === undefined ? copy : { ...copy, keepTurns }, ...rest)
        })
      },
    },
  ],
  'does nothing until it is awaited': [
    'a query of a library that runs in its then()',
    {
      around(next, method, args) {
        if (method !== 'saveSession') return next(...args)
        let running: Promise<unknown> | undefined
        return {
          // oxlint-disable-next-line unicorn/no-thenable -- this is the fault
          then: (done: (value: unknown) => unknown, failed: (error: unknown) => unknown) => {
            running ??= Promise.resolve(next(...args))
            // oxlint-disable-next-line promise/no-callback-in-promise -- a thenable is called by await
            return running.then(done, failed)
          },
        }
      },
    },
  ],
  'reads the workspace of a reading call after an await': [
    'a connection is awaited first',
    {
      around: (next, method, args) =>
        method === 'loadSummary' || method === 'listSessions' ? later(() => next(...args)) : next(...args),
    },
  ],
  'reads the condition of a save after an await': [
    'a connection is awaited first',
    {
      around(next, method, args) {
        if (method !== 'saveSession' || args[1] === undefined) return next(...args)
        const session: unknown = structuredClone(args[0])
        return later(() => next(session, args[1]))
      },
    },
  ],
  'gives summaries without metadata one object': [
    'a constant for {}',
    () => {
      const none = {}
      const shared = (summary: SessionSummary): SessionSummary =>
        Object.keys(summary.metadata).length === 0 ? { ...summary, metadata: none } : summary
      return {
        async loadSummary(next, id, scope) {
          const summary = await next(id, scope)
          return summary && shared(summary)
        },
        query: async (next, query) => {
          const page = await next(query)
          return { ...page, sessions: page.sessions.map(shared) }
        },
      }
    },
  ],
  'gives pages without turns one list': [
    'a constant for []',
    () => {
      const none: TurnRecord[] = []
      return {
        async readTurns(next, id, range, scope) {
          const page = await next(id, range, scope)
          return page?.turns.length === 0 ? { ...page, turns: none } : page
        },
      }
    },
  ],
  'gives queries that find nothing one page': [
    'a constant for the empty page',
    () => {
      const none: SessionPage = { sessions: [], cursor: null }
      return {
        async query(next, query) {
          const page = await next(query)
          return page.sessions.length === 0 && page.cursor === null ? none : page
        },
      }
    },
  ],
  'gives lists without a session one list': [
    'a constant for []',
    () => {
      const none: string[] = []
      return {
        async list(next, scope) {
          const ids = await next(scope)
          return ids.length === 0 ? none : ids
        },
      }
    },
  ],
  'gives changes that repeat nothing one list': [
    'a constant for []',
    () => {
      const none: string[] = []
      return {
        async change(next, id, change, on) {
          const result = await next(id, change, on)
          return result.deduplicated.length === 0 ? { ...result, deduplicated: none } : result
        },
      }
    },
  ],
})

async function later(run: () => unknown): Promise<unknown> {
  await Promise.resolve()
  return run()
}

async function* lazily(run: () => unknown): AsyncGenerator {
  const items = run()
  if (isIterable(items)) yield* items
}

function isCreation(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'createIfMissing' in options
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
