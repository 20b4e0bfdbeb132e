import type { SessionSummary, TurnPage as Page } from '@turnstore/core'
import { inMemory } from '../mutant.ts'

/** Stretches of turns that are off by one, and handles that do not see what others wrote. */
export const reading = inMemory('reading', {
  'begins one turn too late': [
    'ids from 1',
    {
      readTurns: (next, id, range, scope) =>
        next(id, range.kind === 'from' ? { ...range, from: range.from + 1 } : range, scope),
    },
  ],
  'gives one turn too many': [
    'BETWEEN',
    {
      readTurns: (next, id, range, scope) =>
        next(id, range.kind === 'from' ? { ...range, limit: range.limit + 1 } : range, scope),
    },
  ],
  'gives one of the last turns too few': [
    'an index from the end',
    {
      readTurns: (next, id, range, scope) =>
        next(id, range.kind === 'last' ? { kind: 'last', last: Math.max(0, range.last - 1) } : range, scope),
    },
  ],
  'takes last: 0 for all': [
    'slice(-0)',
    {
      readTurns: (next, id, range, scope) =>
        next(id, range.kind === 'last' && range.last === 0 ? { kind: 'from', from: 0, limit: 1e9 } : range, scope),
    },
  ],
  'gives the last turns in the order of the index': [
    'ORDER BY … DESC LIMIT',
    {
      async readTurns(next, id, range, scope) {
        const page = await next(id, range, scope)
        return page && range.kind === 'last' ? { ...page, turns: page.turns.toReversed() } : page
      },
    },
  ],
  'says that the last turns begin at 0': [
    'firstIndex of the page and not of the session',
    {
      readTurns: async (next, id, range, scope) =>
        tampered(await next(id, range, scope), page => (range.kind === 'last' ? { ...page, firstIndex: 0 } : page)),
    },
  ],
  'says how many turns are on the page': [
    'length of what was read',
    {
      readTurns: async (next, ...args) =>
        tampered(await next(...args), page => ({ ...page, turnCount: page.turns.length })),
    },
  ],
  'gives nothing for a turn that is not there': [
    'null for no rows',
    {
      readTurns: async (next, id, range, scope) =>
        tampered(await next(id, range, scope), page =>
          range.kind === 'turnId' && page.turns.length === 0 ? null : page,
        ),
    },
  ],
  'says that a turn that is not there stands at 0': [
    'MIN(index) of no rows',
    {
      readTurns: async (next, id, range, scope) =>
        tampered(await next(id, range, scope), page => (page.turns.length === 0 ? { ...page, firstIndex: 0 } : page)),
    },
  ],
  'says that an empty page stands where it was asked for': [
    'firstIndex = from',
    {
      readTurns: async (next, id, range, scope) =>
        tampered(await next(id, range, scope), page =>
          range.kind === 'from' ? { ...page, firstIndex: range.from } : page,
        ),
    },
  ],
  'gives the first of two turns of one id': [
    'find in place of findLast',
    {
      async readTurns(next, id, range, scope) {
        const page = await next(id, range, scope)
        if (page === null || range.kind !== 'turnId' || page.turns.length === 0) return page
        const turns = this.kept(id)?.turns ?? []
        const index = turns.findIndex(({ turnId }) => turnId === range.turnId)
        return { ...page, firstIndex: index, turns: structuredClone(turns.slice(index, index + 1)) }
      },
    },
  ],
  'updates the first of two turns of one id': [
    'UPDATE … LIMIT 1',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        const [update] = change.updateTurns
        const places = kept?.turns.flatMap(({ turnId }, index) => (turnId === update?.turnId ? [index] : [])) ?? []
        const result = await next(id, change, on)
        const [first = 0, second] = places
        const after = this.kept(id)
        if (after && second !== undefined && after.turns.length > second) {
          const status = after.turns[second]?.status ?? ''
          after.turns = after.turns.map((turn, index) =>
            index === first ? { ...turn, status } : index === second ? { ...turn, status: 'success' } : turn,
          )
        }
        return result
      },
    },
  ],
  'counts transitions as turns': [
    'one table for both',
    { loadSummary: summary(each => ({ ...each, turnCount: each.turnCount + each.agentTransitionCount })) },
  ],
  'counts no transitions': [
    'a member that came later',
    { loadSummary: summary(each => ({ ...each, agentTransitionCount: 0 })) },
  ],
  'puts unknown keys into a summary': [
    'a spread of the whole record',
    { loadSummary: summary(each => ({ ...each, extra: {} })) },
  ],
  'gives no parent in a summary': [
    'a member that came later',
    { loadSummary: summary(each => ({ ...each, parentSessionId: null })) },
  ],
  'gives the summary of the first write': [
    'a summary that is written when a session is created',
    () => {
      const first = new Map<string, SessionSummary>()
      return {
        async loadSummary(next, id, scope) {
          const now = await next(id, scope)
          if (now !== null && !first.has(id)) first.set(id, now)
          return now && { ...now, metadata: first.get(id)?.metadata ?? now.metadata }
        },
        remove: (next, id, scope) => next(id, scope).finally(() => first.delete(id)),
      }
    },
  ],
  'remembers sessions that others change': [
    'a cache that only the writes of the own handle clear',
    () => {
      const cache = new Map<string, SessionSummary | null>()
      const clear = (id: string) => () => void cache.delete(id)
      return {
        async loadSummary(next, id, scope) {
          if (scope !== undefined) return next(id, scope)
          const summary = cache.get(id) ?? (await next(id, scope))
          cache.set(id, summary)
          return structuredClone(summary)
        },
        change: (next, id, ...rest) => next(id, ...rest).finally(clear(id)),
        replace: (next, session, on) => next(session, on).finally(clear(session.sessionId)),
        remove: (next, id, scope) => next(id, scope).finally(clear(id)),
      }
    },
  ],
  'remembers that there was no session': [
    'a cache of misses',
    () => {
      const missing = new Set<string>()
      return {
        async load(next, id, scope) {
          if (missing.has(id)) return null
          const found = await next(id, scope)
          if (found === null) missing.add(id)
          return found
        },
        save(next, session, token) {
          missing.delete(session.sessionId)
          return next(session, token)
        },
      }
    },
  ],
  'remembers the turns of a session by its id and revision': [
    'a key of a cache that a new session of the id has too',
    () => {
      const cache = new Map<string, unknown>()
      return {
        async readTurns(next, id, range, scope) {
          const page = await next(id, range, scope)
          if (page === null) return null
          const key = JSON.stringify([id, page.revision, page.turnCount, range])
          const known = cache.get(key)
          cache.set(key, page)
          return isPage(known) ? structuredClone(known) : structuredClone(page)
        },
      }
    },
  ],
  'forgets everything when it is closed': [
    'data in the handle',
    {
      close: async function () {
        this.memory.map.clear()
      },
    },
  ],
  'lists what the handle has written': [
    'an index in the handle',
    () => {
      const mine = new Set<string>()
      return {
        save: (next, session, token) => next(session, token).finally(() => mine.add(session.sessionId)),
        list: async (next, scope) => (await next(scope)).filter(id => mine.has(id)),
      }
    },
  ],
  'fails on ranges beyond 32 bits': [
    'a parameter that is out of range for type INTEGER',
    {
      readTurns: (next, id, range, scope) =>
        range.kind === 'last' && range.last >= 2 ** 31
          ? Promise.reject(new Error('out of range for type integer'))
          : next(id, range, scope),
    },
  ],
  'keeps ranges in 32 bits': [
    'a number that wraps',
    {
      readTurns: (next, id, range, scope) =>
        next(id, range.kind === 'from' ? { ...range, from: range.from | 0 } : range, scope),
    },
  ],
  'adds where a stretch begins and how long it is in 53 bits': [
    'from + limit, which a backend is given as its end',
    {
      readTurns: (next, id, range, scope) =>
        range.kind === 'from' && range.from > 0 && range.limit > 2 ** 52 && range.limit < Number.MAX_SAFE_INTEGER
          ? Promise.reject(new Error('no safe integer'))
          : next(id, range, scope),
    },
  ],
  'remembers which turns its handle has appended': [
    'a set of ids beside the data, which a rewind or a delete by another handle does not clear',
    () => {
      const mine = new Set<string>()
      return {
        async change(next, id, change, on) {
          const known = change.appendTurns.filter(({ turnId }) => mine.has(`${id} ${turnId}`))
          if (change.keepTurns !== undefined) mine.clear()
          const fresh = change.appendTurns.filter(turn => !known.includes(turn))
          const result = await next(id, { ...change, appendTurns: fresh }, on)
          for (const { turnId } of change.appendTurns) mine.add(`${id} ${turnId}`)
          return { ...result, deduplicated: [...result.deduplicated, ...known.map(({ turnId }) => turnId)] }
        },
        replace: (next, session, on) => next(session, on).finally(() => mine.clear()),
        remove: (next, id, scope) => next(id, scope).finally(() => mine.clear()),
      }
    },
  ],
  'drops the transitions of a turn of which an earlier one stays': [
    'DELETE of transitions by the ids of the turns that go',
    {
      async change(next, id, change, on) {
        const gone = this.kept(id)
          ?.turns.slice(change.keepTurns ?? Infinity)
          .map(({ turnId }) => turnId)
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && gone && change.appendAgentTransitions.length === 0)
          kept.agentTransitions = kept.agentTransitions.filter(({ turnId }) => !gone.includes(turnId))
        return result
      },
    },
  ],
})

function tampered(page: Page | null, tamper: (page: Page) => Page | null): Page | null {
  return page && tamper(page)
}

function isPage(value: unknown): value is Page {
  return typeof value === 'object' && value !== null && 'turns' in value
}

function summary(tamper: (summary: SessionSummary) => SessionSummary) {
  return async (
    next: (id: string, scope: string | null | undefined) => Promise<SessionSummary | null>,
    id: string,
    scope: string | null | undefined,
  ): Promise<SessionSummary | null> => {
    const found = await next(id, scope)
    return found && tamper(found)
  }
}
