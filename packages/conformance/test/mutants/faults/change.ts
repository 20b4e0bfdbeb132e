import { randomUUID } from 'node:crypto'
import type { SessionRecord } from '@turnstore/core'
import { type CheckedChange, revisionConflict, sameTurn } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import type { Faults, RowStore } from '../row-store.ts'

/** Changes that do something else than `applyChange` says. */
export const change = inMemory('change', {
  'drops the last turn of a batch': [
    'a loop that ends too early',
    altered(change => ({
      appendTurns: change.appendTurns.length > 1 ? change.appendTurns.slice(0, -1) : change.appendTurns,
    })),
  ],
  'turns a batch round': ['LPUSH', altered(change => ({ appendTurns: change.appendTurns.toReversed() }))],
  'takes 128 turns of a batch': [
    'a limit of the driver on parameters',
    altered(change => ({ appendTurns: change.appendTurns.slice(0, 128 - 64) })),
  ],
  'forgets the agent in charge': ['a member that came later', altered(() => ({ agentId: undefined }))],
  'cannot take the agent in charge away': [
    'agentId ?? before',
    altered(change => ({ agentId: change.agentId ?? undefined })),
  ],
  'merges metadata all the way down': [
    'a merge patch',
    {
      change(next, id, change, on) {
        const before = this.kept(id)?.metadata ?? {}
        const merged = Object.entries(change.setMetadata).map(
          ([key, value]) => [key, merge(before[key], value)] as const,
        )
        return next(id, { ...change, setMetadata: Object.fromEntries(merged) }, on)
      },
    },
  ],
  'takes null in metadata for its removal': [
    'a merge patch',
    altered(change => ({
      setMetadata: Object.fromEntries(Object.entries(change.setMetadata).filter(([, value]) => value !== null)),
      unsetMetadata: [
        ...change.unsetMetadata,
        ...Object.entries(change.setMetadata).flatMap(([key, value]) => (value === null ? [key] : [])),
      ],
    })),
  ],
  'takes away before it sets': [
    'the other order of the two',
    altered(change => ({ unsetMetadata: change.unsetMetadata.filter(key => !Object.hasOwn(change.setMetadata, key)) })),
  ],
  'takes metadata away by a path': [
    'a key with a dot is a path',
    after((record, change) => {
      for (const key of change.unsetMetadata) {
        const [outer = '', inner] = key.split('.')
        const member = record.metadata[outer]
        if (inner !== undefined && typeof member === 'object' && member !== null) Reflect.deleteProperty(member, inner)
      }
    }),
  ],
  'replaces all metadata': [
    'a document in place of its members',
    after((record, change) => {
      if (Object.keys(change.setMetadata).length > 0) record.metadata = { ...change.setMetadata }
    }),
  ],
  'keeps transitions of dropped turns': [
    'a rewind that knows of turns alone',
    {
      async change(next, id, change, on) {
        const before = structuredClone(this.kept(id)?.agentTransitions ?? [])
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && change.keepTurns !== undefined && change.appendAgentTransitions.length === 0)
          kept.agentTransitions = before
        return result
      },
    },
  ],
  'drops all transitions on a rewind': [
    'a cut by count, of both lists',
    after((record, change) => {
      if (change.keepTurns !== undefined) record.agentTransitions = record.agentTransitions.slice(0, change.keepTurns)
    }),
  ],
  'drops transitions without a turn on a rewind': [
    'NOT IN over the turns that are left',
    after((record, change) => {
      const left = new Set(record.turns.map(({ turnId }) => turnId))
      if (change.keepTurns !== undefined)
        record.agentTransitions = record.agentTransitions.filter(({ turnId }) => left.has(turnId))
    }),
  ],
  'keeps one turn too many': [
    '<= in place of <',
    altered(change => ({ keepTurns: change.keepTurns === undefined ? undefined : change.keepTurns + 1 })),
  ],
  'takes keepTurns 0 for none': ['the truth of 0', altered(change => ({ keepTurns: change.keepTurns || undefined }))],
  'keeps the last turns in place of the first': [
    'slice(-n)',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        if (kept && change.keepTurns !== undefined && change.keepTurns < kept.turns.length) kept.turns.reverse()
        return next(id, change, on)
      },
    },
  ],
  'leaves the ids of dropped turns in use': [
    'a set of ids that a rewind does not cut',
    () => {
      const ids = new Map<string, Set<string>>()
      return {
        async change(next, id, change, on) {
          const used = ids.get(id) ?? new Set()
          ids.set(id, used)
          const live = this.kept(id)?.turns ?? []
          for (const { turnId } of live) used.add(turnId)
          const fresh = change.appendTurns.filter(
            ({ turnId }) => !used.has(turnId) || live.some(turn => turn.turnId === turnId),
          )
          const dropped = change.appendTurns.filter(turn => !fresh.includes(turn)).map(({ turnId }) => turnId)
          const result = await next(id, { ...change, appendTurns: fresh }, on)
          return { ...result, deduplicated: [...result.deduplicated, ...dropped] }
        },
      }
    },
  ],
  'rewinds behind the append': [
    'the order of the members of a change is another',
    {
      async change(next, id, change, on) {
        if (change.keepTurns === undefined || change.appendTurns.length === 0) return next(id, change, on)
        await next(id, { ...change, appendTurns: [], keepTurns: undefined, appendAgentTransitions: [] }, on)
        await next(id, { ...change, keepTurns: undefined, updateTurns: [] }, { ...on, ifRevision: undefined })
        return next(
          id,
          { ...change, appendTurns: [], updateTurns: [], appendAgentTransitions: [] },
          { ...on, ifRevision: undefined },
        )
      },
    },
  ],
  'updates a turn that the same change drops': [
    'updates before the rewind',
    {
      async change(next, id, change, on) {
        if (change.keepTurns === undefined || change.updateTurns.length === 0) return next(id, change, on)
        return next(id, { ...change, updateTurns: [] }, on)
      },
    },
  ],
  'adds where it should replace a tool call': [
    'INSERT in place of UPSERT',
    after((record, change) => {
      for (const { turnId, putToolCalls } of change.updateTurns) {
        const turn = record.turns.findLast(turn => turn.turnId === turnId)
        for (const { call } of putToolCalls) {
          if (turn?.toolCalls.some(({ callId }) => callId === call.callId))
            turn.toolCalls = [...turn.toolCalls.filter(({ callId }) => callId !== call.callId), call]
        }
      }
    }),
  ],
  'replaces all tool calls of a turn': [
    'a list in place of its members',
    after((record, change) => {
      for (const { turnId, putToolCalls } of change.updateTurns) {
        const turn = record.turns.findLast(turn => turn.turnId === turnId)
        if (turn && putToolCalls.length > 0) turn.toolCalls = putToolCalls.map(({ call }) => call)
      }
    }),
  ],
  'keeps one of several tool calls': [
    'one column for the last',
    altered(change => ({
      updateTurns: change.updateTurns.map(update => ({ ...update, putToolCalls: update.putToolCalls.slice(-1) })),
    })),
  ],
  'updates the first of several turns': [
    'RETURN in a loop',
    altered(change => ({ updateTurns: change.updateTurns.slice(0, 1) })),
  ],
  'takes the first of two updates of one turn': [
    'a map by turn over the updates',
    {
      change: (next, id, change, on) =>
        next(
          id,
          {
            ...change,
            updateTurns: change.updateTurns.filter(
              (each, index, all) => all.findIndex(({ turnId }) => turnId === each.turnId) === index,
            ),
          },
          on,
        ),
    },
  ],
  'makes a turn where there is none to update': [
    'UPSERT',
    {
      async change(next, id, change, on) {
        const known = new Set(
          this.kept(id)
            ?.turns.slice(0, change.keepTurns)
            .map(({ turnId }) => turnId),
        )
        return next(id, { ...change, updateTurns: change.updateTurns.filter(({ turnId }) => known.has(turnId)) }, on)
      },
    },
  ],
  'applies an update to a turn that comes later in the batch': [
    'updates behind the appends',
    {
      change(next, id, change, on) {
        const brought = new Set(change.appendTurns.map(({ turnId }) => turnId))
        const known = new Set(this.kept(id)?.turns.map(({ turnId }) => turnId))
        return next(
          id,
          {
            ...change,
            updateTurns: change.updateTurns.filter(({ turnId }) => known.has(turnId) || !brought.has(turnId)),
          },
          on,
        )
      },
    },
  ],
  'cannot set a member of a turn to null': [
    'value ?? before',
    altered(change => ({
      updateTurns: change.updateTurns.map(update => ({
        ...update,
        set: Object.fromEntries(Object.entries(update.set).filter(([, value]) => value !== null)),
      })),
    })),
  ],
  'merges the metadata of a turn': [
    'a merge patch',
    {
      change(next, id, change, on) {
        const turns = this.kept(id)?.turns ?? []
        const updateTurns = change.updateTurns.map(update => {
          const turn = turns.findLast(({ turnId }) => turnId === update.turnId)
          const { metadata } = update.set
          return metadata && turn
            ? { ...update, set: { ...update.set, metadata: { ...turn.metadata, ...metadata } } }
            : update
        })
        return next(id, { ...change, updateTurns }, on)
      },
    },
  ],
  'loses the unknown keys of a turn that it updates': [
    'the turn is written anew from its columns',
    after((record, change) => {
      for (const { turnId } of change.updateTurns) delete record.turns.findLast(turn => turn.turnId === turnId)?.extra
    }),
  ],
  'lets updatedAt go back': [
    'SET updated_at = ?',
    after((record, change, changed) => {
      if (changed) record.updatedAt = change.updatedAt
    }),
  ],
  'compares updatedAt as text': [
    'GREATEST over texts',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.updatedAt ?? ''
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && result.revision > 1) kept.updatedAt = before > change.updatedAt ? before : change.updatedAt
        return result
      },
    },
  ],
  'raises the revision where nothing is altered': [
    'UPDATE … SET revision = revision + 1, always',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && kept.revision === before) result.revision = ++kept.revision
        return result
      },
    },
  ],
  'moves updatedAt where nothing is altered': [
    'touch()',
    after((record, change, changed) => {
      if (!changed) record.updatedAt = change.updatedAt
    }),
  ],
  'raises the revision for each turn': [
    'a trigger on each row',
    after((record, change) => {
      record.revision += Math.max(0, change.appendTurns.length - 1)
    }),
  ],
  'makes a session where there is none': [
    'UPSERT',
    {
      async change(next, id, change, on) {
        if (!this.memory.map.has(id) && on.scope === undefined) {
          await this.memory.put(
            id,
            {
              sessionId: id,
              workspaceId: null,
              parentSessionId: null,
              agentId: null,
              createdAt: '',
              updatedAt: '',
              turns: [],
              agentTransitions: [],
              metadata: {},
              revision: 1,
            },
            null,
          )
        }
        return next(id, change, on)
      },
    },
  ],
  'applies metadata before it fails': [
    'statements without a transaction',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        return next(id, change, on).catch(error => {
          if (kept) kept.metadata = { ...kept.metadata, ...change.setMetadata }
          throw error
        })
      },
    },
  ],
  'applies a batch up to the turn that conflicts': [
    'a loop of INSERTs without a transaction',
    {
      async change(next, id, change, on) {
        return next(id, change, on).catch(async error => {
          const [first] = change.appendTurns
          if (change.appendTurns.length > 1 && first) this.kept(id)?.turns.push(structuredClone(first))
          throw error
        })
      },
    },
  ],
  'says turnCount of before': [
    'counted before the INSERT',
    {
      change: async (next, id, change, on) => {
        const result = await next(id, change, on)
        return { ...result, turnCount: result.turnCount - change.appendTurns.length + result.deduplicated.length }
      },
    },
  ],
  'says the revision of before': [
    'RETURNING of the old row',
    {
      change: async (next, id, change, on) => {
        const result = await next(id, change, on)
        return { ...result, revision: Math.max(1, result.revision - 1) }
      },
    },
  ],
  'forgets turnIds that were saved whole': [
    'ids are indexed when they are appended',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        if (kept === undefined || kept.revision !== 1 || kept.turns.length === 0) return next(id, change, on)
        const known = new Set(kept.turns.map(({ turnId }) => turnId))
        const renamed = change.appendTurns.map(turn =>
          known.has(turn.turnId) ? { ...turn, turnId: `${turn.turnId} ` } : turn,
        )
        return next(id, { ...change, appendTurns: renamed }, on)
      },
    },
  ],
  'raises the revision for a tool call that is put again as it is': [
    'UPSERT, and its row counts as altered',
    after((record, { updateTurns }, changed) => {
      if (!changed && updateTurns.some(({ putToolCalls }) => putToolCalls.length > 0)) record.revision++
    }),
  ],
  'replaces the first of two tool calls of one callId': [
    'find in place of findLast',
    {
      async change(next, id, change, on) {
        const hasTwice = ({ turnId, toolCalls }: SessionRecord['turns'][number]) =>
          new Set(toolCalls.map(({ callId }) => callId)).size < toolCalls.length &&
          change.updateTurns.some(update => update.turnId === turnId)
        for (const turn of this.kept(id)?.turns.filter(hasTwice) ?? []) turn.toolCalls.reverse()
        const result = await next(id, change, on)
        for (const turn of this.kept(id)?.turns.filter(hasTwice) ?? []) turn.toolCalls.reverse()
        return result
      },
    },
  ],
  'takes metadata for set where what is there contains it': [
    'WHERE NOT metadata @> ?, to spare an UPDATE that alters nothing',
    {
      change(next, id, change, on) {
        const before = this.kept(id)?.metadata ?? {}
        const set = Object.entries(change.setMetadata).filter(
          ([key, value]) => !(Object.hasOwn(before, key) && contains(before[key], value)),
        )
        return next(id, { ...change, setMetadata: Object.fromEntries(set) }, on)
      },
    },
  ],
  'leaves the rest of a change aside where its turns are there': [
    'ON CONFLICT DO NOTHING, and 0 rows mean that all has happened',
    {
      change(next, id, change, on) {
        const known = new Set(this.kept(id)?.turns.map(({ turnId }) => turnId))
        const isThere = change.appendTurns.length > 0 && change.appendTurns.every(({ turnId }) => known.has(turnId))
        const rest = { setMetadata: {}, unsetMetadata: [], agentId: undefined, appendAgentTransitions: [] }
        return next(id, isThere ? { ...change, ...rest } : change, on)
      },
    },
  ],
  'compares a turn that comes again with what it was before the same change': [
    'the turns are looked up once, before the updates',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.turns ?? []
        const again = change.appendTurns.filter(
          turn =>
            change.updateTurns.some(({ turnId }) => turnId === turn.turnId) &&
            before.some(each => sameTurn(each, turn)),
        )
        const result = await next(
          id,
          { ...change, appendTurns: change.appendTurns.filter(turn => !again.includes(turn)) },
          on,
        )
        return { ...result, deduplicated: [...result.deduplicated, ...again.map(({ turnId }) => turnId)] }
      },
    },
  ],
  'keeps the number of turns to keep in 32 bits': [
    'a parameter of type INTEGER that wraps',
    altered(({ keepTurns }) => ({ keepTurns: keepTurns === undefined ? undefined : keepTurns | 0 })),
  ],
  'takes the agent away where agentId is undefined': [
    'change.agentId ?? null, of a member that is there',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'changeSession' && isObject(arg) ? nulled(arg, 'agentId') : arg))),
    },
  ],
  'sets a member of a turn to null where it is undefined': [
    'Object.assign, and a column that takes NULL',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'changeSession' && isObject(arg) ? nulledInUpdates(arg) : arg))),
    },
  ],
  'names the tool calls of an appended turn at random': [
    'DEFAULT gen_random_uuid()',
    {
      around: (next, method, args) =>
        next(...args.map(arg => (method === 'changeSession' && isObject(arg) ? namedAtRandom(arg) : arg))),
    },
  ],
  'merges the unknown keys of a turn': [
    'a merge patch',
    {
      change(next, id, change, on) {
        const turns = this.kept(id)?.turns ?? []
        const updateTurns = change.updateTurns.map(update => {
          const before = turns.findLast(({ turnId }) => turnId === update.turnId)?.extra
          const { extra } = update.set
          return extra && Object.keys(extra).length > 0
            ? { ...update, set: { ...update.set, extra: { ...before, ...extra } } }
            : update
        })
        return next(id, { ...change, updateTurns }, on)
      },
    },
  ],
  'fails a conditional change that alters nothing': [
    'affectedRows of MySQL, which does not count rows that stay as they are',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision
        const result = await next(id, change, on)
        if (on.ifRevision !== undefined && on.ifRevision === before && result.revision === before)
          throw revisionConflict(id, on.ifRevision, before)
        return result
      },
    },
  ],
  'raises the revision of a conditional change that alters nothing': [
    'UPDATE … SET revision = revision + 1 WHERE revision = ?, to check the condition',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && on.ifRevision !== undefined && on.ifRevision === before && kept.revision === before)
          result.revision = ++kept.revision
        return result
      },
    },
  ],
  'adds audit events to those that are there': [
    '$push in place of $set',
    {
      change(next, id, change, on) {
        const turns = this.kept(id)?.turns ?? []
        const updateTurns = change.updateTurns.map(update => {
          const before = turns.findLast(({ turnId }) => turnId === update.turnId)?.auditEventIds ?? []
          const { auditEventIds } = update.set
          return auditEventIds
            ? { ...update, set: { ...update.set, auditEventIds: [...before, ...auditEventIds] } }
            : update
        })
        return next(id, { ...change, updateTurns }, on)
      },
    },
  ],
  'puts a turn that is updated behind the others': [
    'DELETE and INSERT in place of UPDATE',
    after((record, { updateTurns }) => {
      const isUpdated = ({ turnId }: { turnId: string }) => updateTurns.some(update => update.turnId === turnId)
      record.turns = [...record.turns.filter(turn => !isUpdated(turn)), ...record.turns.filter(isUpdated)]
    }),
  ],
  'takes tool calls of a turn away where it is updated': [
    'the turn is written anew, and ON DELETE CASCADE takes its calls',
    after((record, { updateTurns }) => {
      for (const { turnId, putToolCalls } of updateTurns) {
        const turn = record.turns.findLast(turn => turn.turnId === turnId)
        if (turn && putToolCalls.length === 0) turn.toolCalls = []
      }
    }),
  ],
  'makes a member of the metadata null where it takes it away': [
    'SET metadata[key] = NULL',
    after((record, { unsetMetadata }) => {
      for (const key of unsetMetadata) record.metadata[key] = null
    }),
  ],
  'keeps the transitions that a change brings with a rewind out': [
    'transitions are cut last',
    altered(change => ({
      appendAgentTransitions: change.keepTurns === undefined ? change.appendAgentTransitions : [],
    })),
  ],
  'takes all calls with an empty callId for one': [
    'an empty text is an id like any other',
    {
      around(next, method, args) {
        if (method !== 'changeSession') return next(...args)
        const [id, change, ...rest] = args
        return next(id, withIdForEmpty(change), ...rest)
      },
    },
  ],
  'leaves a turn that has ended as it is': [
    'what is done is not to be altered',
    {
      change(next, id, change, on) {
        const hasEnded = (turnId: string): boolean => {
          const turn = this.kept(id)?.turns.findLast(each => each.turnId === turnId)
          return typeof turn?.endedAt === 'string' && turn.status === 'success'
        }
        return next(id, { ...change, updateTurns: change.updateTurns.filter(({ turnId }) => !hasEnded(turnId)) }, on)
      },
    },
  ],
})

function altered(alter: (change: CheckedChange) => Partial<CheckedChange>) {
  return {
    change: (next: Next, id: string, change: CheckedChange, on: On) => next(id, { ...change, ...alter(change) }, on),
  }
}

type Change = NonNullable<Faults['change']>
type Next = Parameters<Change>[0]
type On = Parameters<Change>[3]

/** Tampers with the kept record behind a change that succeeded. */
function after(tamper: (record: SessionRecord, change: CheckedChange, changed: boolean) => void) {
  return {
    async change(this: RowStore, next: Next, id: string, change: CheckedChange, on: On) {
      const before = this.kept(id)?.revision
      const result = await next(id, change, on)
      const kept = this.kept(id)
      if (kept) tamper(kept, change, kept.revision !== before)
      return kept ? { ...result, revision: kept.revision } : result
    },
  }
}

function merge(before: unknown, value: CheckedChange['setMetadata'][string]): CheckedChange['setMetadata'][string] {
  if (typeof before !== 'object' || before === null || typeof value !== 'object' || value === null) return value
  if (Array.isArray(before) || Array.isArray(value)) return value
  return { ...before, ...value }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nulled(source: object, name: string): object {
  return Object.hasOwn(source, name) && Reflect.get(source, name) === undefined ? { ...source, [name]: null } : source
}

/** The items of a list in an argument, each as another. */
function mapped(source: object, name: string, alter: (item: object) => object): object {
  const list: unknown = Reflect.get(source, name)
  if (!Array.isArray(list)) return source
  return { ...source, [name]: list.map((item: unknown) => (isObject(item) ? alter(item) : item)) }
}

function nulledInUpdates(change: object): object {
  return mapped(change, 'updateTurns', update => {
    const set: unknown = Reflect.get(update, 'set')
    return isObject(set) ? { ...update, set: nulled(set, 'responseContent') } : update
  })
}

function namedAtRandom(change: object): object {
  return mapped(change, 'appendTurns', turn =>
    mapped(turn, 'toolCalls', call => ('callId' in call ? call : { ...call, callId: randomUUID() })),
  )
}

/** As `@>` of a database does: members of an object, and items of a list wherever they stand. */
function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(whole) && Array.isArray(part)) return part.every(item => whole.some(each => contains(each, item)))
  if (!isObject(whole) || !isObject(part)) return whole === part
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && contains(Reflect.get(whole, key), value),
  )
}

/** The JSON of a change with an id in place of each empty `callId`. */
function withIdForEmpty(change: unknown): unknown {
  const named: unknown = JSON.parse(JSON.stringify(change), (key, value: unknown) =>
    key === 'callId' && value === '' ? 'no id' : value,
  )
  return named
}
