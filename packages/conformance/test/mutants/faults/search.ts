import type { SearchHit, SearchPage, TurnRecord } from '@turnstore/core'
import { mayMatch } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import type { Faults } from '../row-store.ts'

/** Searches that pass turns over, read them wrong, or show them in another way. */
export const search = inMemory('search', {
  'passes over turns whose text is written in another case': [
    'LIKE with a case-sensitive collation',
    sieved((turn, terms) => terms.every(term => JSON.stringify(turn).includes(term))),
  ],
  'compares texts byte for byte': [
    'lower() of ASCII',
    sieved((turn, terms) => terms.every(term => JSON.stringify(turn).toLowerCase().includes(term))),
  ],
  'looks for the words in escaped JSON': [
    'body LIKE over the JSON',
    sieved((turn, terms) => terms.every(term => JSON.stringify(turn).normalize('NFKC').toLowerCase().includes(term))),
  ],
  'asks the JSON of a head whether its turn may match': [
    'the parts are in a table of their own',
    sieved(({ toolCalls: _calls, ...head }, _terms, isSeen) => isSeen(JSON.stringify(head))),
  ],
  'passes over a turn that runs': ['a column that is written at the end', sieved(turn => turn.status !== 'running')],
  'passes over the last turn': ['an end that is excluded', sieved((_turn, _terms, _isSeen, isLast) => !isLast)],
  'reads one piece of a session': [
    'LIMIT without OFFSET',
    { scan: async (next, ...args) => shortened(await next(...args), ({ turns }) => ({ turns: turns.slice(0, 2) })) },
  ],
  'begins a session again on each page': [
    'the cursor names the session alone',
    { scan: (next, id, _from, ...rest) => next(id, 0, ...rest) },
  ],
  'searches items, too': [
    'one text column for the whole turn',
    read(turn => (turn.error ??= turn.items.map(({ value }) => JSON.stringify(value)).join('\n') || null)),
  ],
  'searches the keys of arguments': [
    'the JSON as a text',
    read(turn => {
      for (const call of turn.toolCalls) call.arguments = { text: JSON.stringify(call.arguments) }
    }),
  ],
  'searches arguments and results as one text': [
    'values joined by spaces',
    read(turn => {
      for (const call of turn.toolCalls) call.arguments = { text: Object.values(call.arguments).map(String).join(' ') }
    }),
  ],
  'says that there is no more after the first page': ['a cursor of null', page(found => ({ ...found, cursor: null }))],
  'gives the oldest sessions first': [
    'ORDER BY without DESC',
    { query: (next, query) => next({ ...query, order: 'asc' }) },
  ],
  'shows ranges in the folded text': [
    'indexOf in the text that was compared',
    hit(found => ({
      ...found,
      ranges: found.ranges.map(([from, to]) => [from, Math.min(found.snippet.length, to + 1)]),
    })),
  ],
  'shows the snippet in lower case': [
    'the column that was compared',
    hit(found => ({ ...found, snippet: found.snippet.toLowerCase() })),
  ],
  'shows the field in which it found the last word': [
    'an overwritten variable',
    hit(found => ({ ...found, field: 'prompt' })),
  ],
  'takes the cursor of another search': [
    'a cursor without a seal',
    {
      around(next, method, args) {
        if (method !== 'searchSessions') return next(...args)
        return Promise.resolve(next(...args)).catch(() => ({ hits: [], cursor: null }))
      },
    },
  ],
})

type Sieve = (turn: TurnRecord, terms: readonly string[], isSeen: (json: string) => boolean, isLast: boolean) => boolean

/** Turns that do not pass are passed over. */
function sieved(passes: Sieve): Faults {
  return {
    scan: async (next, id, from, terms, scope) =>
      shortened(await next(id, from, terms, scope), ({ turns }) => ({
        turns: turns.filter(({ turn }, at) => {
          const isLast = at === turns.length - 1 && turns.length > 1
          return 'toolCalls' in turn && passes(turn, terms.folded, json => mayMatch(terms, json), isLast)
        }),
      })),
  }
}

function shortened<T extends object>(scanned: T | null, change: (scanned: T) => Partial<T>): T | null {
  return scanned === null ? null : { ...scanned, ...change(scanned) }
}

/** Turns are read as something else by a search alone. */
function read(change: (turn: TurnRecord) => unknown): Faults {
  return {
    scan: async (next, ...args) =>
      shortened(await next(...args), ({ turns }) => {
        for (const { turn } of turns) if ('toolCalls' in turn) change(turn)
        return {}
      }),
  }
}

function page(change: (page: SearchPage) => SearchPage): Faults {
  return {
    async around(next, method, args) {
      const result: unknown = await next(...args)
      return method === 'searchSessions' && isPage(result) ? change(result) : result
    },
  }
}

function hit(change: (hit: SearchHit) => SearchHit): Faults {
  return page(found => ({ ...found, hits: found.hits.map(change) }))
}

function isPage(value: unknown): value is SearchPage {
  return typeof value === 'object' && value !== null && 'hits' in value
}
