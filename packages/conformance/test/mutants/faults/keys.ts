import { createHash } from 'node:crypto'
import { isTurnstoreError, type JsonValue, type SessionRecord } from '@turnstore/core'
import { revisionConflict } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import { type Faults, latency } from '../row-store.ts'

/** Changes with a key that are applied again, forgotten, or taken for others. */
export const keys = inMemory('keys', {
  'forgets keys when the session is saved over': [
    'a row that is replaced',
    {
      async replace(next, session, on) {
        const revision = await next(session, on)
        remember(this.kept(session.sessionId), [])
        return revision
      },
    },
  ],
  'forgets keys when the session is rewound': [
    'a document that is written anew',
    clearing(({ keepTurns }) => keepTurns !== undefined),
  ],
  'forgets keys when a turn is appended': [
    'a journal that is compacted',
    clearing(({ appendTurns }, key) => appendTurns.length > 0 && key === undefined),
  ],
  'knows the keys of its own handle': [
    'a map in memory',
    () => {
      const mine = new Map<string, JsonValue[]>()
      return {
        read: record => remember(structuredClone(record), mine.get(record.sessionId) ?? []),
        write(record) {
          mine.set(record.sessionId, remembered(record))
          return remember(structuredClone(record), [])
        },
      }
    },
  ],
  'keeps keys after a delete': [
    'keys are rows of their own, without ON DELETE CASCADE',
    () => {
      const left = new Map<string, JsonValue[]>()
      return {
        async remove(next, id, scope) {
          left.set(id, remembered(this.kept(id)))
          return next(id, scope)
        },
        write: record => {
          const known = left.get(record.sessionId) ?? []
          left.delete(record.sessionId)
          return remember(structuredClone(record), [...known, ...remembered(record)])
        },
      }
    },
  ],
  ...Object.fromEntries(
    [1, 100, 255].map(count => [
      `remembers ${count} keys`,
      [
        'a smaller ring',
        { write: record => remember(structuredClone(record), remembered(record).slice(-count)) },
      ] as const,
    ]),
  ),
  'remembers keys for ever': [
    'a table that nobody clears',
    () => {
      const all = new Map<string, Map<string, JsonValue>>()
      return {
        write(record) {
          const known = all.get(record.sessionId) ?? new Map<string, JsonValue>()
          for (const each of remembered(record)) known.set(keyOf(each), each)
          all.set(record.sessionId, known)
          return remember(structuredClone(record), [...known.values()])
        },
        delete(next, id, token) {
          all.delete(id)
          return next(id, token)
        },
      }
    },
  ],
  'counts changes without a key': [
    'a ring by revision',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (on.idempotency === undefined && kept && remembered(kept).length > 250)
          remember(kept, remembered(kept).slice(1))
        return result
      },
    },
  ],
  'keeps a key longer that was asked for again': [
    'a cache by last use',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        const kept = this.kept(id)
        const key = JSON.stringify(on.idempotency?.key)
        const mine = remembered(kept).filter(each => keyOf(each) === key)
        if (result.replayed === true) remember(kept, [...remembered(kept).filter(each => keyOf(each) !== key), ...mine])
        return result
      },
    },
  ],
  'checks the revision before the key': [
    'WHERE revision = ? comes first',
    {
      change(next, id, change, on) {
        const { revision = 0 } = this.kept(id) ?? {}
        if (on.ifRevision !== undefined && on.idempotency !== undefined && on.ifRevision !== revision)
          throw revisionConflict(id, on.ifRevision, revision)
        return next(id, change, on)
      },
    },
  ],
  'checks the key before the scope': [
    'keys are looked up by session and key',
    {
      change(next, id, change, on) {
        const isKnown = remembered(this.kept(id)).some(each => keyOf(each) === JSON.stringify(on.idempotency?.key))
        return next(id, change, isKnown ? { ...on, scope: undefined } : on)
      },
    },
  ],
  'remembers a failure': [
    'the key is stored before the change is tried',
    {
      change: function (next, id, change, on) {
        return next(id, change, on).catch((error: unknown) => {
          const kept = this.kept(id)
          if (kept && on.idempotency && isTurnstoreError(error) && error.code === 'TURN_NOT_FOUND') {
            const { revision, turns } = kept
            remember(kept, [...remembered(kept), { ...on.idempotency, revision, turn_count: turns.length }])
          }
          throw error
        })
      },
    },
  ],
  'forgets the change before one that fails': [
    'a savepoint that is rolled back too far',
    {
      change: function (next, id, change, on) {
        return next(id, change, on).catch((error: unknown) => {
          remember(this.kept(id), remembered(this.kept(id)).slice(0, -1))
          throw error
        })
      },
    },
  ],
  'does not remember a change of nothing': [
    'nothing is written where nothing changes',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept?.revision === before && result.replayed !== true)
          remember(
            kept,
            remembered(kept).filter(each => keyOf(each) !== JSON.stringify(on.idempotency?.key)),
          )
        return result
      },
    },
  ],
  'raises the revision for a change of nothing with a key': [
    'what is written has a revision',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (on.idempotency && kept && kept.revision === before && result.replayed !== true)
          result.revision = ++kept.revision
        return result
      },
    },
  ],
  'touches the session when it repeats a result': [
    'updated_at is set by a trigger',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && result.replayed === true) kept.updatedAt = change.updatedAt
        return result
      },
    },
  ],
  'raises the revision when it repeats a result': [
    'a key that is touched',
    {
      async change(next, ...args) {
        const result = await next(...args)
        const kept = this.kept(args[0])
        if (kept && result.replayed === true) kept.revision++
        return result
      },
    },
  ],
  'gives a repetition the present revision': [
    'the key alone is stored',
    {
      async change(next, ...args) {
        const result = await next(...args)
        const kept = this.kept(args[0])
        return kept && result.replayed === true
          ? { ...result, revision: kept.revision, turnCount: kept.turns.length }
          : result
      },
    },
  ],
  'does not say that it repeats a result': [
    'a member that came later',
    {
      async change(next, ...args) {
        const { replayed: _replayed, ...result } = await next(...args)
        return result
      },
    },
  ],
  'repeats a result without what was deduplicated': [
    'columns for two numbers',
    repeating(result => ({ ...result, deduplicated: [] })),
  ],
  'repeats a result without what was skipped': [
    'columns for what there was at first',
    repeating(({ skipped: _skipped, ...result }) => result),
  ],
  'digests the order of keys': ['a digest of JSON.stringify', digesting(change => JSON.stringify(change))],
  'digests the names of members alone': [
    'Object.keys for a replacer',
    digesting(change => JSON.stringify(Object.keys(change).toSorted())),
  ],
  'digests turns by their ids': [
    'content that is large is left out',
    digesting(change =>
      JSON.stringify(canonical(change), (key, value: unknown) => (key === 'metadata' ? null : value)),
    ),
  ],
  'digests the time of a change': [
    'all of it',
    { around: (next, method, args) => next(...digested(method, args, change => JSON.stringify(change), [])) },
  ],
  'digests the scope and the condition': [
    'all arguments',
    {
      around(next, method, args) {
        const options = JSON.stringify(args[2])
        return next(...digested(method, args, change => options + JSON.stringify(canonical(change))))
      },
    },
  ],
  'digests nothing of what is to be created': [
    'the change alone',
    {
      around: (next, method, args) => next(...digested(method, args, change => JSON.stringify(canonical(change)))),
    },
  ],
  'ignores the digest of the caller': [
    'an option that is not read',
    {
      around(next, method, args) {
        const [id, change, options] = args
        if (method !== 'changeSession' || typeof options !== 'object' || options === null) return next(...args)
        const { idempotencyDigest: _digest, ...others } = Object.assign({ idempotencyDigest: '' }, options)
        return next(id, change, others)
      },
    },
  ],
  'takes any change with a known key for its repetition': ['the key is all that is stored', digesting(() => 'same')],
  'takes keys that differ by case for one': [
    'NOCASE',
    {
      change: (next, id, change, on) =>
        next(
          id,
          change,
          renamed(on, key => key.toLowerCase()),
        ),
    },
  ],
  'takes keys for one that look alike': [
    'NFKC',
    {
      change: (next, id, change, on) =>
        next(
          id,
          change,
          renamed(on, key => key.normalize('NFC')),
        ),
    },
  ],
  'takes keys for one that differ by a space': [
    'trim()',
    {
      change: (next, id, change, on) =>
        next(
          id,
          change,
          renamed(on, key => key.trim() || key),
        ),
    },
  ],
  'has the keys of all sessions in one place': [
    'a table of keys without the session',
    () => {
      const all = new Map<string, JsonValue>()
      return {
        read: record => remember(structuredClone(record), [...all.values()]),
        write(record) {
          for (const each of remembered(record)) all.set(keyOf(each), each)
          return structuredClone(record)
        },
        delete: (next, ...args) => {
          all.clear()
          return next(...args)
        },
      }
    },
  ],
  'remembers a change in a second step': [
    'two writes without a transaction',
    {
      async change(next, id, change, on) {
        const { idempotency } = on
        const isKnown = remembered(this.kept(id)).some(each => keyOf(each) === JSON.stringify(idempotency?.key))
        if (idempotency === undefined || isKnown) return next(id, change, on)
        const result = await next(id, change, { ...on, idempotency: undefined })
        await latency()
        const { revision, turnCount, deduplicated, skipped, created } = result
        const kept = this.kept(id)
        remember(
          kept,
          [
            ...remembered(kept),
            {
              ...idempotency,
              revision,
              turn_count: turnCount,
              deduplicated,
              ...(skipped && { skipped }),
              ...(created && { created }),
            },
          ].slice(-256),
        )
        return result
      },
    },
  ],
  'shows keys in a loaded record': [
    'a document that is given out as it is',
    {
      async around(next, method, args) {
        const result = await next(...args)
        const kept = typeof args[0] === 'string' ? this.kept(args[0]) : undefined
        if (method !== 'loadSession' || kept?.extra === undefined || typeof result !== 'object') return result
        return { ...result, extra: structuredClone(kept.extra) }
      },
    },
  ],
  'gives a copy the keys of the original': [
    'INSERT … SELECT',
    {
      async replace(next, session, on) {
        const revision = await next(session, on)
        const original = [...this.memory.map.values()].find(
          ({ session: other }) => other.sessionId !== session.sessionId && other.turns.length > 0,
        )
        const kept = this.kept(session.sessionId)
        if (revision === 1 && session.turns.length > 0) remember(kept, remembered(original?.session))
        return revision
      },
    },
  ],
})

const KEYS = 'turnstore.keys'

function remembered(record: SessionRecord | undefined): JsonValue[] {
  const known = record?.extra?.[KEYS]
  return Array.isArray(known) ? known : []
}

function remember<Record extends SessionRecord | undefined>(record: Record, known: JsonValue[]): Record {
  if (record === undefined) return record
  const { [KEYS]: _before, ...extra } = record.extra ?? {}
  const after = known.length === 0 ? extra : { ...extra, [KEYS]: known }
  if (Object.keys(after).length === 0) delete record.extra
  else record.extra = after
  return record
}

function keyOf(each: JsonValue): string {
  return typeof each === 'object' && each !== null && 'key' in each ? JSON.stringify(each.key) : ''
}

type Change = NonNullable<Faults['change']>
type Args<F> = F extends (next: infer _Next, id: string, change: infer C, on: infer On) => unknown ? [C, On] : never
type On = Args<Change>[1]

function clearing(isMeant: (change: Args<Change>[0], key: string | undefined) => boolean): Faults {
  return {
    async change(next, id, change, on) {
      const result = await next(id, change, on)
      if (isMeant(change, on.idempotency?.key)) remember(this.kept(id), [])
      return result
    },
  }
}

function repeating(alter: (result: Awaited<ReturnType<Change>>) => Awaited<ReturnType<Change>>): Faults {
  return {
    async change(next, ...args) {
      const result = await next(...args)
      return result.replayed === true ? alter(result) : result
    },
  }
}

function renamed(on: On, rename: (key: string) => string): On {
  const { idempotency } = on
  return idempotency === undefined ? on : { ...on, idempotency: { ...idempotency, key: rename(idempotency.key) } }
}

/** Another digest of what was passed, without the time. */
function digesting(digest: (change: object) => string): Faults {
  return { around: (next, method, args) => next(...digested(method, args, digest)) }
}

function digested(
  method: string,
  args: readonly unknown[],
  digest: (change: object) => string,
  without: readonly string[] = ['updatedAt'],
): unknown[] {
  const [id, change, options] = args
  const hasKey = typeof options === 'object' && options !== null && 'idempotencyKey' in options
  if (method !== 'changeSession' || !hasKey || 'idempotencyDigest' in options) return [...args]
  if (typeof change !== 'object' || change === null) return [...args]
  const content = Object.fromEntries(Object.entries(change).filter(([name]) => !without.includes(name)))
  const idempotencyDigest = createHash('sha256').update(digest(content)).digest('hex')
  return [id, change, { ...options, idempotencyDigest }]
}

function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonical)
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, canonical(member)])
}
