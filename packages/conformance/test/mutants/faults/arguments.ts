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
