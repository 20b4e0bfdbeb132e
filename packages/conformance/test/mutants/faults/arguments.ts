import { TurnstoreError } from '@turnstore/core'
import { inMemory } from '../mutant.ts'
import type { Faults } from '../row-store.ts'

/** Arguments that are taken for something else where they should be refused. */
export const args = inMemory('arguments', {
  'takes an undefined workspace for all': ['options?.workspaceId', without(undefined)],
  'takes an empty workspace for all': ['the truth of an empty text', without('')],
  'takes an undefined workspace for all in queries': [
    'query.workspaceId',
    {
      around: (next, method, args) =>
        next(...(isQuery(method) ? args.map(arg => drop(arg, 'workspaceId', undefined)) : args)),
    },
  ],
  'takes null for no options': [
    'options ?? {}',
    {
      around: (next, method, args) =>
        next(...args.map((arg, index) => (index === 1 && arg === null && method !== 'saveSession' ? undefined : arg))),
    },
  ],
  'takes a misspelt workspace for none': [
    'members that it does not know are left aside',
    {
      around: (next, method, args) =>
        next(
          ...args.map((arg, index) =>
            index > 0 || isQuery(method) || method === 'listSessions' ? without2(arg, 'workspace_id') : arg,
          ),
        ),
    },
  ],
  'takes ifRevision as text': [
    'Number(value)',
    { around: (next, _method, args) => next(...args.map(number('ifRevision'))) },
  ],
  'takes limit as text': ['Number(value)', { around: (next, _method, args) => next(...args.map(number('limit'))) }],
  'takes any limit and cuts it': [
    'Math.min',
    { around: (next, method, args) => next(...args.map(arg => (isQuery(method) ? clamp(arg) : arg))) },
  ],
  'takes a limit of 0 for the default': [
    'limit || 50',
    { around: (next, method, args) => next(...args.map(arg => (isQuery(method) ? drop(arg, 'limit', 0) : arg))) },
  ],
  'takes last: -1 for all': [
    'slice(-last)',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'readTurns' && has(arg, 'last', -1) ? {} : arg))),
    },
  ],
  'takes last and from together': [
    'the first that it finds',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'readTurns' && has(arg, 'last', 1) ? { last: 1 } : arg))),
    },
  ],
  'takes a range of parts without a list for one of items': [
    'a default that nobody has promised',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'readParts' && has(arg, 'last', 1) ? { list: 'items', last: 1 } : arg))),
    },
  ],
  'takes other values of parts for all': [
    "parts !== 'none'",
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'readTurns' && has(arg, 'parts', 'some') ? {} : arg))),
    },
  ],
  'takes any truth for replace': [
    'if (call.replace)',
    inChange('updateTurns', update =>
      mapMember(update, 'putToolCalls', calls =>
        Array.isArray(calls) ? calls.map((call: unknown) => mapMember(call, 'replace', Boolean)) : calls,
      ),
    ),
  ],
  'begins anew where a cursor is unknown': [
    'a cursor that nobody has is no cursor',
    {
      around: (next, method, args) => next(...args.map(arg => (isQuery(method) && has(arg, 'cursor', 'x') ? {} : arg))),
    },
  ],
  'takes the cursor of another query': [
    'a cursor that holds a place and nothing of its query',
    {
      around(next, method, args) {
        const query = args[0]
        if (method !== 'querySessions' || typeof query !== 'object' || query === null || !('cursor' in query))
          return next(...args)
        return Promise.resolve(next(query)).catch(error => {
          if (Object.keys(query).includes('agentId')) return { sessions: [], cursor: null }
          throw error
        })
      },
    },
  ],
  'takes a date object for a time': [
    'new Date(value)',
    {
      around: (next, _method, args) =>
        next(
          ...args.map(arg =>
            mapMember(arg, 'updatedAfter', value => (value instanceof Date ? value.toISOString() : value)),
          ),
        ),
    },
  ],
  'takes an order in capitals': [
    'toLowerCase',
    {
      around: (next, _method, args) =>
        next(...args.map(arg => mapMember(arg, 'order', value => (value === 'ASC' ? 'asc' : value)))),
    },
  ],
  'takes a change without its time': [
    'a default of its own',
    {
      around: (next, method, args) =>
        next(
          ...(method === 'changeSession'
            ? args.map((arg, index) =>
                index === 1 && isObject(arg) ? { updatedAt: '2026-01-01T00:00:00Z', ...arg } : arg,
              )
            : args),
        ),
    },
  ],
  'leaves members of a change aside that it does not know': [
    'a list of what it takes',
    {
      around: (next, method, args) =>
        next(...(method === 'changeSession' ? args.map(arg => without2(arg, 'append_turns')) : args)),
    },
  ],
  'lets a turn be updated into another id': [
    'Object.assign(turn, set)',
    {
      around: (next, method, args) =>
        method === 'changeSession' && JSON.stringify(args[1] ?? null)?.includes('"set":{"turnId"')
          ? Promise.resolve({ revision: 2, turnCount: 2, deduplicated: [] })
          : next(...args),
    },
  ],
  'throws where it should reject': [
    'a check before the first await of a method that is not async',
    {
      around: (next, method, args) => {
        if (method === 'readTurns' && !isObject(args[1])) throw new TypeError('range must be an object')
        return next(...args)
      },
    },
  ],
  'fails with an error of its own': [
    'TypeError for what is wrong with an argument',
    {
      around: (next, method, args) =>
        Promise.resolve(next(...args)).catch(error => {
          throw method === 'readTurns' ? new TypeError('wrong range') : error
        }),
    },
  ],
  'leaves out whether a refused write may have happened': [
    'an error made by hand',
    {
      around: (next, method, args) => {
        const result = next(...args)
        return result instanceof Promise
          ? result.catch((error: unknown) => {
              if (isObject(error) && method === 'changeSession') Reflect.deleteProperty(error, 'outcome')
              throw error
            })
          : result
      },
    },
  ],
  'lets extra hide a member of ours': [
    'a spread at the end',
    {
      around: (next, method, args) =>
        method === 'saveSession' && JSON.stringify(args[0] ?? null)?.includes('"extra":{"turn_id"')
          ? Promise.resolve(1)
          : next(...args),
    },
  ],
  'leaves members of a tool call aside in a change': [
    'columns are picked from what comes',
    inChange('updateTurns', update => inList(update, 'putToolCalls', call => without2(call, 'unknown'))),
  ],
  'leaves members of an appended turn aside': [
    'columns are picked from what comes',
    inChange('appendTurns', turn => without2(turn, 'unknown')),
  ],
  'leaves members of an appended transition aside': [
    'columns are picked from what comes',
    inChange('appendAgentTransitions', transition => without2(transition, 'unknown')),
  ],
  'leaves members of a saved transition aside': [
    'columns are picked from what comes',
    {
      around: (next, method, args) =>
        next(
          ...args.map(arg =>
            method === 'saveSession' ? inList(arg, 'agentTransitions', each => without2(each, 'unknown')) : arg,
          ),
        ),
    },
  ],
  'lets the extra of an update hide a member of ours': [
    'a spread at the end',
    inChange('updateTurns', update =>
      mapMember(update, 'set', set => mapMember(set, 'extra', extra => without2(extra, 'turn_id'))),
    ),
  ],
  'lets the extra of an appended transition hide a member of ours': [
    'a spread at the end',
    inChange('appendAgentTransitions', each => mapMember(each, 'extra', extra => without2(extra, 'to_agent'))),
  ],
  'looks for the session before it checks the change': [
    'SELECT first, then the checks',
    {
      around(next, method, args) {
        const id = args[0]
        const isMissing = typeof id === 'string' && this.kept(id) === undefined
        return method === 'changeSession' && isMissing ? next(id, { updatedAt: '' }, args[2]) : next(...args)
      },
    },
  ],
  'checks options only where there is a session': [
    'null for what is not there, before anything else',
    {
      around(next, method, args) {
        const id = args[0]
        const isMissing = typeof id === 'string' && this.kept(id) === undefined
        return method.startsWith('load') && isMissing ? next(id) : next(...args)
      },
    },
  ],
  'serves a cursor once': [
    'a cursor of the backend that is used up',
    () => {
      const used = new Set<unknown>()
      return {
        around(next, method, args) {
          const query = args[0]
          const cursor: unknown = isObject(query) ? Reflect.get(query, 'cursor') : undefined
          if (method !== 'querySessions' || cursor === undefined) return next(...args)
          if (used.has(cursor)) return Promise.reject(new TurnstoreError('INVALID_ARGUMENT', 'that cursor is used up'))
          return Promise.resolve(next(...args)).then(page => {
            used.add(cursor)
            return page
          })
        },
      }
    },
  ],
  'takes what a range inherits': [
    'range.last',
    {
      around: (next, method, args) =>
        next(...args.map((arg, index) => (method === 'readTurns' && index === 1 && isObject(arg) ? flat(arg) : arg))),
    },
  ],
  'takes what a change inherits': [
    'change.keepTurns',
    {
      around: (next, method, args) =>
        next(
          ...args.map((arg, index) => (method === 'changeSession' && index === 1 && isObject(arg) ? flat(arg) : arg)),
        ),
    },
  ],
})

function isQuery(method: string): boolean {
  return method === 'querySessions' || method === 'sessions'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function has(value: unknown, name: string, member: unknown): boolean {
  return isObject(value) && Reflect.get(value, name) === member
}

function drop(value: unknown, name: string, member: unknown): unknown {
  return isObject(value) && name in value && has(value, name, member) ? without2(value, name) : value
}

function without2(value: unknown, name: string): unknown {
  if (!isObject(value) || !Object.hasOwn(value, name)) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
}

function without(member: unknown): Faults {
  return {
    around: (next, method, args) =>
      next(...(isQuery(method) ? args : args.map(arg => drop(arg, 'workspaceId', member)))),
  }
}

function mapMember(value: unknown, name: string, alter: (member: unknown) => unknown): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? { ...value, [name]: alter(Reflect.get(value, name)) } : value
}

function number(name: string) {
  return (value: unknown): unknown => mapMember(value, name, member => (member === '1' ? 1 : member))
}

function clamp(value: unknown): unknown {
  return mapMember(value, 'limit', limit => (typeof limit === 'number' && limit > 1000 ? 1000 : limit))
}

/** The items of a list in an argument, each as another. */
function inList(source: unknown, name: string, alter: (item: unknown) => unknown): unknown {
  return mapMember(source, name, list => (Array.isArray(list) ? Array.from<unknown>(list).map(alter) : list))
}

function inChange(name: string, alter: (item: unknown) => unknown): Faults {
  return {
    around: (next, method, args) =>
      next(...args.map((arg, index) => (method === 'changeSession' && index === 1 ? inList(arg, name, alter) : arg))),
  }
}

/** With what it inherits as its own; as it is where there is nothing. */
function flat(source: object): object {
  const inherited: unknown = Object.getPrototypeOf(source)
  return isObject(inherited) && inherited !== Object.prototype ? { ...inherited, ...source } : source
}
