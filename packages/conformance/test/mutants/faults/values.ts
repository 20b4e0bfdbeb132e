import { isTurnstoreError, type JsonObject, type JsonValue, type SessionRecord, TurnstoreError } from '@turnstore/core'
import { isJsonValue } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import type { Faults } from '../row-store.ts'

/** Values that a format, a driver or a column type changes on the way. */
export const values = inMemory('values', {
  'quotes what it refuses': [
    'a message with all that one would want to know',
    {
      around: (next, _method, args) =>
        Promise.resolve(next(...args)).catch((error: unknown) => {
          if (!isTurnstoreError(error, 'INVALID_RECORD')) throw error
          throw new TurnstoreError('INVALID_RECORD', `${error.message}: ${written(args)}`, { outcome: 'not-stored' })
        }),
    },
  ],
  'walks all of what it refuses': [
    'a deep copy before the checks',
    {
      around(next, method, args) {
        try {
          if (method === 'changeSession') walk(args[1], 100)
        } catch {
          // A getter or a proxy that throws.
        }
        return next(...args)
      },
    },
  ],
  'cuts a text at a NUL': ['a text bound as a C string', texts(text => text.split('\0')[0] ?? '')],
  'replaces lone surrogates': ['a text sent as UTF-8', texts(swap(/\p{Surrogate}/gu, '\ufffd'))],
  'makes a newline of U+2028': ['a record a line, split as JavaScript splits lines', texts(swap('\u2028', '\n'))],
  'normalises texts': ['NFC for comparing, kept', texts(text => text.normalize('NFC'))],
  'makes one newline of two': ['a file opened in text mode', texts(swap('\r\n', '\n'))],
  'takes a byte-order mark away': ['TextDecoder without ignoreBOM', texts(text => text.replace(/^\ufeff/, ''))],
  'cuts texts at 65,535': ['a column of type TEXT in MySQL', texts(text => text.slice(0, 65_535))],
  'takes blanks off texts': ['a column of type CHAR', texts(text => text.trimEnd())],
  'makes null of an empty text': ["Oracle's VARCHAR", jsonOf(value => (value === '' ? null : value))],
  'unescapes texts that are escaped': ['two rounds of JSON', texts(swap('\\u0000', '\0'))],
  'reads texts that look like JSON': [
    'a driver that parses what looks like an object',
    jsonOf(value => (typeof value === 'string' && value.startsWith('{"') ? parsed(value) : value)),
  ],
  'rounds numbers to 15 digits': ["Lua's cjson", numbers(value => Number(value.toPrecision(15)))],
  'makes a small number 0': ['a column of type REAL', numbers(value => (Math.abs(value) < 1e-300 ? 0 : value))],
  'keeps numbers in 64 bits': ['a column of type BIGINT', numbers(value => (Math.abs(value) < 2 ** 63 ? value : 0))],
  'cuts off what is behind the point': ['a column of type INTEGER', numbers(Math.trunc)],
  'makes an empty object of an empty list': [
    "Lua's cjson",
    jsonOf(value => (Array.isArray(value) && value.length === 0 ? {} : value)),
  ],
  'makes an empty list of an empty object': [
    "PHP's arrays",
    jsonOf(value => (isPlain(value) && Object.keys(value).length === 0 ? [] : value)),
  ],
  'loses members that are null': [
    'undefined and null are one',
    objects(object => entries(object).filter(([, value]) => value !== null)),
  ],
  'loses a member called __proto__': [
    'a copy by assignment',
    objects(object => entries(object).filter(([key]) => key !== '__proto__')),
  ],
  'loses a member called constructor': [
    'a merge that guards against pollution',
    objects(object => entries(object).filter(([key]) => key !== 'constructor')),
  ],
  'flattens keys with dots': [
    'a path into a document: a.b is b of a',
    objects(object => entries(object).map(([key, value]) => [key.split('.')[0] ?? '', value] as const)),
  ],
  'drops keys that are empty': [
    'a key is looked at for its truth',
    objects(object => entries(object).filter(([key]) => key !== '')),
  ],
  'makes camelCase of keys inside values': [
    'a converter of names that goes all the way down',
    objects(object => entries(object).map(([key, value]) => [key === 'turn_id' ? 'turnId' : key, value] as const)),
  ],
  'revives what looks like a date': [
    'an envelope of its own for dates, which content may look like',
    objects(object => ('$type' in object ? [['$date', object.$value ?? null] as const] : entries(object))),
  ],
  'flattens lists of lists': [
    'flat() on what a query gave',
    jsonOf(value => (Array.isArray(value) ? value.flat() : value)),
  ],
  'keeps values 64 deep': [
    'a parser with a limit of its own',
    { write: record => ({ ...record, metadata: object(cut(record.metadata, 64)) }) },
  ],
  'takes dates for texts': [
    'JSON.stringify before the checks',
    { around: (next, _method, args) => next(...args.map(plain)) },
  ],
  'loses what undefined stands for in a list': [
    'JSON.stringify makes null of it',
    { around: (next, method, args) => next(...(method === 'changeSession' ? args.map(plain) : args)) },
  ],
  'pollutes the prototype of all objects': [
    'a deep merge',
    {
      write(record) {
        const { metadata } = record
        if (Object.hasOwn(metadata, '__proto__')) Object.assign(Object.prototype, { admin: true })
        return structuredClone(record)
      },
      read(record) {
        return structuredClone(record)
      },
    },
  ],
  'counts characters where it should count bytes': [
    'length of a string',
    {
      around: (next, _method, args) => {
        const change: unknown = args[1]
        const set: unknown =
          typeof change === 'object' && change !== null ? Reflect.get(change, 'setMetadata') : undefined
        return JSON.stringify(set ?? {}).includes('éxx') ? Promise.resolve({}) : next(...args)
      },
    },
  ],
  'weighs the metadata of a change and not of a save': [
    'the limit is checked where metadata grows',
    {
      around(next, method, args) {
        const result = next(...args)
        return method === 'saveSession' && result instanceof Promise
          ? result.catch((error: unknown) => {
              const isWeighed = error instanceof Error && error.message.includes('is larger than 1048576')
              if (isWeighed && JSON.stringify(args[0]).length < 2 ** 24) return 1
              throw error
            })
          : result
      },
    },
  ],
  'weighs metadata before it takes any away': [
    'what is there and what comes, added up',
    {
      async change(next, id, change, on) {
        const both = JSON.stringify({ ...this.kept(id)?.metadata, ...change.setMetadata })
        if (Buffer.byteLength(both) > 1024 * 1024)
          throw new TurnstoreError('INVALID_RECORD', 'metadata would be too large', { outcome: 'not-stored' })
        return next(id, change, on)
      },
    },
  ],
  'counts the characters of a turn that grows': [
    'length of a string',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        const update = change.updateTurns.find(({ turnId, set }) => {
          const turn = kept?.turns.find(turn => turn.turnId === turnId)
          return set.responseContent && turn && JSON.stringify({ ...turn, ...set }).length < 16 * 1024 * 1024
        })
        return kept && update && (update.set.responseContent?.length ?? 0) > 1024 * 1024
          ? { revision: kept.revision + 1, turnCount: kept.turns.length, deduplicated: [] }
          : next(id, change, on)
      },
    },
  ],
  'takes what JSON changes in the extra of a transition': [
    'JSON.stringify before the checks',
    plainWith('appendAgentTransitions'),
  ],
  'makes a list of an object whose keys count from 0': [
    'a language in which a list is a map',
    jsonOf(value => (isPlain(value) && isCounted(value, 0) ? Object.values(value) : value)),
  ],
  'makes a list of an object whose keys count from 1': [
    "Lua's tables",
    jsonOf(value => (isPlain(value) && isCounted(value, 1) ? Object.values(value) : value)),
  ],
  'cuts keys at 255': [
    'VARCHAR(255)',
    objects(object => entries(object).map(([key, value]): Entry => [key.slice(0, 255), value])),
  ],
  'takes a member of the metadata for one of the summary': [
    'a spread of the metadata',
    {
      async loadSummary(next, id, scope) {
        const summary = await next(id, scope)
        return summary && { ...summary, ...named('agentId', summary.metadata) }
      },
    },
  ],
  'takes an unknown key of a session for one of its members': [
    'a spread of extra',
    { read: record => ({ ...structuredClone(record), ...named('agentId', record.extra ?? {}) }) },
  ],
})

type Entry = readonly [key: string, value: JsonValue]

function written(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'a value'
  }
}

/** How many members there are, each as often as it would be written. */
function walk(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null || depth === 0) return 1
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return 1
  const members: unknown[] = Array.isArray(value) ? value : Object.values(value)
  return members.reduce<number>((sum, member) => sum + walk(member, depth - 1), 0)
}

function jsonOf(alter: (value: JsonValue) => JsonValue): { write: (record: SessionRecord) => SessionRecord } {
  const all = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return alter(value.map(all))
    if (!isPlain(value)) return alter(value)
    return alter(Object.fromEntries(entries(value).map(([key, member]) => [key, all(member)])))
  }
  // Content alone, in every place where it may stand.
  return {
    write: record => ({
      ...structuredClone(record),
      metadata: object(all(record.metadata)),
      turns: record.turns.map(turn => ({
        ...structuredClone(turn),
        prompt: text(all(turn.prompt)),
        metadata: object(all(turn.metadata)),
        toolCalls: turn.toolCalls.map(call => ({
          ...structuredClone(call),
          result: all(call.result),
          arguments: object(all(call.arguments)),
          durationMs: call.durationMs === null ? null : Number(all(call.durationMs)),
        })),
      })),
    }),
  }
}

function texts(alter: (text: string) => string) {
  return jsonOf(value => (typeof value === 'string' ? alter(value) : value))
}

function numbers(alter: (value: number) => number) {
  return jsonOf(value => (typeof value === 'number' ? alter(value) : value))
}

function objects(alter: (value: JsonObject) => readonly Entry[]) {
  return jsonOf(value => (isPlain(value) ? Object.fromEntries(alter(value)) : value))
}

function swap(from: string | RegExp, to: string) {
  return (text: string): string => text.replaceAll(from, to)
}

function entries(value: JsonObject): Entry[] {
  return Object.entries(value)
}

function isPlain(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function object(value: JsonValue): JsonObject {
  return isPlain(value) ? value : {}
}

function parsed(text: string): JsonValue {
  const value: unknown = JSON.parse(text)
  return isJsonValue(value) ? value : text
}

/** Whether the keys are those of a list that begins there. */
function isCounted(value: JsonObject, first: number): boolean {
  const keys = Object.keys(value)
  return keys.length > 0 && keys.every((key, index) => key === String(first + index))
}

function named(member: 'agentId', source: JsonObject): { agentId?: string } {
  const value = source[member]
  return typeof value === 'string' ? { [member]: value } : {}
}

function text(value: JsonValue): string {
  return typeof value === 'string' ? value : ''
}

function cut(value: JsonValue, depth: number): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return null
  if (Array.isArray(value)) return value.map(item => cut(item, depth - 1))
  return Object.fromEntries(entries(value).map(([key, member]) => [key, cut(member, depth - 1)]))
}

/** As JSON has it, where JSON can. */
function plain(value: unknown): unknown {
  try {
    return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
  } catch {
    return value
  }
}

/** Takes changes with this member as JSON has them. */
function plainWith(member: string): Faults {
  return {
    around: (next, method, args) =>
      next(
        ...args.map(arg =>
          method === 'changeSession' && typeof arg === 'object' && arg !== null && member in arg ? plain(arg) : arg,
        ),
      ),
  }
}
