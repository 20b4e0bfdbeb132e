import type { JsonObject, SessionRecord, SessionSummary, ToolCallRecord, TurnRecord } from '@turnstore/core'
import {
  cursorAfter,
  isRetryOfTurn,
  type CheckedChange,
  type CheckedQuery,
  pageOfSummaries,
  revisionConflict,
  sameTurn,
  timeKey,
} from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import { type Faults, latency, type RowStore } from '../row-store.ts'

/*
 * Faults that show only where two things meet: two members of a change, two sessions that hold the same, a filter and
 * a cursor, an index and a write that fails.
 */

const change = inMemory('change', {
  'loses the tool calls of the first of two updates of one turn': [
    'two updates merged by a spread',
    altered(({ updateTurns }) => ({
      updateTurns: updateTurns.map((update, index) =>
        updateTurns.slice(index + 1).some(({ turnId }) => turnId === update.turnId)
          ? { ...update, putToolCalls: [] }
          : update,
      ),
    })),
  ],
  'keeps the unknown keys of a tool call that is replaced': [
    'a spread over the old call',
    replacing((call, old) => ({ ...call, ...(old.extra && { extra: { ...old.extra, ...call.extra } }) })),
  ],
  'keeps the result of a tool call that is replaced by one without': [
    'COALESCE',
    replacing((call, old) => ({ ...call, result: call.result ?? old.result })),
  ],
  'merges the arguments of a tool call that is replaced': [
    'a merge patch',
    replacing((call, old) => ({ ...call, arguments: { ...old.arguments, ...call.arguments } })),
  ],
  'takes an update of a time to another form of the instant for none': [
    'a column of type TIMESTAMPTZ, which is compared',
    altered(({ updateTurns }, kept) => ({
      updateTurns: updateTurns.map(update => {
        const before = kept?.turns.findLast(({ turnId }) => turnId === update.turnId)?.endedAt
        const { endedAt, ...set } = update.set
        const isSame = typeof endedAt === 'string' && timeKey(endedAt) === timeKey(before ?? '')
        return isSame ? { ...update, set } : update
      }),
    })),
  ],
  'cannot take the end of a turn away': [
    'endedAt ?? before',
    altered(({ updateTurns }) => ({
      updateTurns: updateTurns.map(update => {
        const { endedAt, ...set } = update.set
        return endedAt === null ? { ...update, set } : update
      }),
    })),
  ],
  'raises the revision for a tool call that is put with its keys in another order': [
    'the JSON is compared as text',
    raising(({ updateTurns }, before) =>
      updateTurns.some(({ turnId, putToolCalls }) =>
        putToolCalls.some(({ call }) => JSON.stringify(callIn(before, turnId, call)) !== JSON.stringify(call)),
      ),
    ),
  ],
  'raises the revision for a rewind of a session without turns': [
    '<= in place of <',
    raising(({ keepTurns }, { turns }) => keepTurns === 0 && turns.length === 0),
  ],
  'raises the revision where no agent follows on no agent': [
    'NULL is distinct from NULL',
    raising(({ agentId }, before) => agentId === null && before.agentId === null),
  ],
  'raises the revision where it takes away what every object has': [
    'key in metadata',
    raising(({ unsetMetadata }) => unsetMetadata.some(key => key in {})),
  ],
  'takes metadata for set where it is loosely equal': [
    '==',
    altered(({ setMetadata }, kept) => ({
      setMetadata: Object.fromEntries(
        Object.entries(setMetadata).filter(([key, value]) => {
          const before = kept?.metadata[key]
          // oxlint-disable-next-line eslint/eqeqeq -- this is the fault
          return before === undefined || typeof before === 'object' || before === value || !(before == value)
        }),
      ),
    })),
  ],
  'fails where a key is taken away twice': [
    'two paths of one expression overlap',
    {
      change: (next, id, change, on) =>
        new Set(change.unsetMetadata).size < change.unsetMetadata.length
          ? Promise.reject(new Error('two document paths overlap'))
          : next(id, change, on),
    },
  ],
  'keeps 1,000 members of metadata': [
    'a row for each, and a limit of the driver on parameters',
    written(record => {
      record.metadata = Object.fromEntries(Object.entries(record.metadata).slice(0, 1000))
    }),
  ],
  'keeps 200 transitions': [
    'LIMIT',
    written(record => {
      record.agentTransitions = record.agentTransitions.slice(0, 200)
    }),
  ],
  'keeps 200 tool calls of a turn': [
    'LIMIT',
    written(({ turns }) => {
      for (const turn of turns) turn.toolCalls = turn.toolCalls.slice(0, 200)
    }),
  ],
  'takes 25 transitions of a batch': [
    'a limit of the backend on a batch',
    altered(change => ({ appendAgentTransitions: change.appendAgentTransitions.slice(0, 25) })),
  ],
  'keeps each tool call of an appended turn once': [
    'UNIQUE (turn_id, call_id)',
    altered(({ appendTurns }) => ({
      appendTurns: appendTurns.map(turn => ({
        ...turn,
        toolCalls: [...new Map(turn.toolCalls.map(call => [call.callId, call])).values()],
      })),
    })),
  ],
  'updates the turns of that id in all sessions': [
    'WHERE turn_id = ?',
    others((other, { updateTurns }) => {
      for (const { turnId, set } of updateTurns)
        for (const turn of other.turns) if (turn.turnId === turnId) turn.status = set.status ?? turn.status
    }),
  ],
  'rewinds all sessions': [
    'DELETE FROM turns WHERE place >= ?',
    others((other, { keepTurns }) => {
      other.turns = other.turns.slice(0, keepTurns)
    }),
  ],
  'drops the transitions of dropped turns in all sessions': [
    'DELETE … WHERE turn_id IN (…)',
    others((other, _change, dropped) => {
      other.agentTransitions = other.agentTransitions.filter(({ turnId }) => !dropped.includes(turnId))
    }),
  ],
  'deletes the turns of a session from all that have their ids': [
    'DELETE … WHERE turn_id IN (…)',
    {
      async remove(next, id, scope) {
        const ids = this.kept(id)?.turns.map(({ turnId }) => turnId) ?? []
        const deleted = await next(id, scope)
        for (const { session } of deleted ? this.memory.map.values() : [])
          session.turns = session.turns.filter(({ turnId }) => !ids.includes(turnId))
        return deleted
      },
    },
  ],
  'takes the agent of the last turn for the agent in charge': [
    'a trigger that means well',
    altered(({ agentId, appendTurns }) => ({ agentId: agentId ?? appendTurns.at(-1)?.agentId ?? agentId })),
  ],
  'lists a session higher for a change that alters nothing': ['ZADD, always', touched('nothing')],
  'lists a session higher for a change that fails': ['the index is written first', touched('failed')],
})

const retries = inMemory('retries', {
  'tells once of a turn that a batch brings twice': [
    'a set',
    {
      async change(next, ...args) {
        const result = await next(...args)
        return { ...result, deduplicated: [...new Set(result.deduplicated)] }
      },
    },
  ],
  'compares the order of keys in tool calls': [
    'a column of text for the calls',
    refusing((turn, stored) => sameTurn(turn, stored) && textOf(turn.toolCalls) !== textOf(stored.toolCalls)),
  ],
  'compares the order of keys that it does not know': [
    'a column of text for extra',
    refusing((turn, stored) => sameTurn(turn, stored) && textOf(turn.extra) !== textOf(stored.extra)),
  ],
  'does not know a turn again that is running still and has another tool call': [
    'a turn has grown when it has ended',
    refusing((turn, stored) => stored.status === 'running' && !sameTurn(turn, stored)),
  ],
  'counts the turns that are there in a conditional retry': [
    'SELECT COUNT(*) … WHERE turn_id IN (…), beside the length of the batch',
    late(({ appendTurns }) => new Set(appendTurns.map(({ turnId }) => turnId)).size < appendTurns.length),
  ],
  'knows a conditional retry again for two revisions': [
    'a window of what was done',
    late((_change, behind) => behind > 2),
  ],
  'compares a turn with what was appended, whatever updated it since': ['a digest that an update leaves', digested()],
  'compares tool calls without their duration': [
    'a member that came later',
    skipping((turn, stored) => sameTurn(timeless(turn), timeless(stored))),
  ],
  'compares the first 1,000 characters of a prompt': [
    'an index over a prefix',
    skipping((turn, stored) => sameTurn(shortened(turn, 1000), shortened(stored, 1000))),
  ],
})

const queries = inMemory('queries', {
  'finds a session by the parent that it had first': [
    'an index that a save forgets',
    () => {
      const first = new Map<string, string | null>()
      return {
        async save(next, session, token) {
          const saved = await next(session, token)
          if (saved && !first.has(session.sessionId)) first.set(session.sessionId, session.parentSessionId)
          return saved
        },
        remove: (next, id, scope) => next(id, scope).finally(() => first.delete(id)),
        query: filtered(
          { parentSessionId: undefined },
          (each, { parentSessionId }) => parentSessionId === undefined || first.get(each.sessionId) === parentSessionId,
        ),
      }
    },
  ],
  'finds a session by metadata that one deleted under its id had': [
    'an index that a delete forgets',
    () => {
      const left = new Map<string, JsonObject>()
      return {
        async remove(next, id, scope) {
          const kept = this.kept(id)
          const deleted = await next(id, scope)
          if (deleted && kept) left.set(id, kept.metadata)
          return deleted
        },
        query: filtered({ metadata: [] }, (each, { metadata }) =>
          metadata.every(([key, value]) =>
            [each.metadata, left.get(each.sessionId) ?? {}].some(
              members => Object.hasOwn(members, key) && members[key] === value,
            ),
          ),
        ),
      }
    },
  ],
  'ignores filters by metadata behind the first page by createdAt': [
    'a statement of its own',
    without(({ after, orderBy }) => after !== undefined && orderBy === 'createdAt', { metadata: [] }),
  ],
  'ignores bounds behind the first page in ascending order': [
    'a statement of its own',
    without(({ after, order }) => after !== undefined && order === 'asc', {
      updatedAfter: undefined,
      updatedBefore: undefined,
    }),
  ],
  'ignores a filter by agent beside one by parent': [
    'one index is used',
    without(({ parentSessionId }) => parentSessionId !== undefined, { agentId: undefined }),
  ],
  'ignores a parent beside a workspace': [
    'one index is used',
    without(({ scope }) => scope !== undefined, { parentSessionId: undefined }),
  ],
  'ignores ended beside a filter by metadata': [
    'one index is used',
    without(({ metadata }) => metadata.length > 0, { ended: undefined }),
  ],
  'takes no agent for one called null': [
    'String(agentId)',
    {
      query: filtered(
        { agentId: undefined },
        (each, { agentId }) => agentId === undefined || String(each.agentId) === String(agentId),
      ),
    },
  ],
})

const paging = inMemory('paging', {
  'skips by count in sessions()': [
    'OFFSET, in the iteration alone',
    {
      around(next, method, args) {
        const result = next(...args)
        const query: unknown = args[0]
        const isInOrder = typeof query === 'object' && query !== null && 'orderBy' in query && 'limit' in query
        return method === 'sessions' && isInOrder && query.limit === 2 ? byCount(this, query) : result
      },
    },
  ],
})

const reading = inMemory('reading', {
  'says where a turn stands by a number that goes on behind a rewind': [
    'AUTOINCREMENT',
    () => {
      const dropped = new Map<string, number>()
      return {
        async change(next, id, change, on) {
          const before = this.kept(id)?.turns.length ?? 0
          const result = await next(id, change, on)
          const gone = Math.max(0, before - (change.keepTurns ?? before))
          dropped.set(id, (dropped.get(id) ?? 0) + gone)
          return result
        },
        async readTurns(next, id, range, scope) {
          const page = await next(id, range, scope)
          const isPlaced = page !== null && range.kind === 'last' && page.firstIndex > 0
          return isPlaced ? { ...page, firstIndex: page.firstIndex + (dropped.get(id) ?? 0) } : page
        },
        replace: (next, session, on) => next(session, on).finally(() => dropped.delete(session.sessionId)),
        remove: (next, id, scope) => next(id, scope).finally(() => dropped.delete(id)),
      }
    },
  ],
  'finds a turn by the beginning of its id': [
    'a range of keys',
    {
      async readTurns(next, id, range, scope) {
        const turns = this.kept(id)?.turns ?? []
        const known = range.kind === 'turnId' && turns.find(({ turnId }) => turnId.startsWith(range.turnId))
        const isThere = range.kind === 'turnId' && turns.some(({ turnId }) => turnId === range.turnId)
        return next(id, known && !isThere ? { kind: 'turnId', turnId: known.turnId } : range, scope)
      },
    },
  ],
})

const scope = inMemory('scope', {
  'remembers of a session in no scope that it is not there': [
    'a cache of misses that knows no workspace',
    () => {
      const missing = new Set<string>()
      return {
        async loadSummary(next, id, scope) {
          const found = missing.has(id) ? null : await next(id, scope)
          if (found === null && scope !== undefined) missing.add(id)
          return found
        },
        replace: (next, session, on) => next(session, on).finally(() => missing.delete(session.sessionId)),
      }
    },
  ],
})

const ids = inMemory('ids', {
  'takes no workspace for one called null': [
    'String(workspaceId) in the key of an index',
    { list: async (next, scope) => (scope === 'null' ? [...(await next(scope)), ...(await next(null))] : next(scope)) },
  ],
})

const values = inMemory('values', {
  'makes an empty list of an empty object in the unknown keys of a transition': [
    'JSON of Lua or PHP',
    written(({ agentTransitions }) => {
      for (const { extra } of agentTransitions) if (extra && JSON.stringify(extra.value) === '{}') extra.value = []
    }),
  ],
  'takes keys that differ by case for one where it sets them': [
    'a collation that folds case',
    altered(({ setMetadata, unsetMetadata }, kept) => {
      const set = Object.keys(setMetadata)
      const alike = Object.keys(kept?.metadata ?? {}).filter(key =>
        set.some(other => other !== key && other.toLowerCase() === key.toLowerCase()),
      )
      return { unsetMetadata: [...unsetMetadata, ...alike] }
    }),
  ],
  'takes turns of up to 12 MiB': [
    'a limit of the backend on a document',
    {
      save: (next, session, token) =>
        session.turns.some(turn => Buffer.byteLength(JSON.stringify(turn)) > 12 * 2 ** 20)
          ? Promise.reject(new Error('the document is too large'))
          : next(session, token),
    },
  ],
  'loses what is null in the metadata that it lists': [
    'a document without its empty members',
    {
      async query(next, query) {
        const page = await next(query)
        const sessions = page.sessions.map(each => ({
          ...each,
          metadata: Object.fromEntries(Object.entries(each.metadata).filter(([, value]) => value !== null)),
        }))
        return { ...page, sessions }
      },
    },
  ],
})

const copies = inMemory('copies', {
  'writes the revision into the record that it is given': [
    'session.revision = …',
    {
      around(next, method, args) {
        const result = next(...args)
        const record: unknown = args[0]
        if (method !== 'saveSession' || !(result instanceof Promise)) return result
        return result.then((revision: unknown) => {
          if (typeof record === 'object' && record !== null) Reflect.set(record, 'revision', revision)
          return revision
        })
      },
    },
  ],
})

const concurrency = inMemory('concurrency', {
  'lists a session with the metadata of another moment': [
    'two reads without a transaction',
    {
      async query(next, query) {
        const page = await next(query)
        await latency()
        const now = (each: SessionSummary) => structuredClone(this.kept(each.sessionId)?.metadata ?? each.metadata)
        return { ...page, sessions: page.sessions.map(each => ({ ...each, metadata: now(each) })) }
      },
    },
  ],
})

const records = inMemory('records', {
  'lists the metadata of a save that was refused': [
    'the index is written first',
    () => {
      const refused = new Map<string, JsonObject>()
      return {
        async replace(next, session, on) {
          refused.set(session.sessionId, session.metadata)
          const revision = await next(session, on)
          refused.delete(session.sessionId)
          return revision
        },
        async query(next, query) {
          const page = await next(query)
          const metadata = (each: SessionSummary) => refused.get(each.sessionId) ?? each.metadata
          return { ...page, sessions: page.sessions.map(each => ({ ...each, metadata: metadata(each) })) }
        },
      }
    },
  ],
})

export const combinations = [
  records,
  reading,
  ids,
  values,
  change,
  retries,
  copies,
  concurrency,
  queries,
  paging,
  scope,
].flat()

function altered(alter: (change: CheckedChange, kept: SessionRecord | undefined) => Partial<CheckedChange>): Faults {
  return {
    change(next, id, change, on) {
      return next(id, { ...change, ...alter(change, this.kept(id)) }, on)
    },
  }
}

function callIn(record: SessionRecord | undefined, turnId: string, call: ToolCallRecord): ToolCallRecord | undefined {
  const turn = record?.turns.findLast(each => each.turnId === turnId)
  return turn?.toolCalls.findLast(({ callId }) => callId === call.callId)
}

/** Another call in the place of one that is there. */
function replacing(alter: (call: ToolCallRecord, old: ToolCallRecord) => ToolCallRecord): Faults {
  return altered(({ updateTurns }, kept) => ({
    updateTurns: updateTurns.map(update => ({
      ...update,
      putToolCalls: update.putToolCalls.map(({ call, replace }) => {
        const old = callIn(kept, update.turnId, call)
        return { call: old === undefined ? call : alter(call, old), replace }
      }),
    })),
  }))
}

/** Counts a change that alters nothing. */
function raising(isCounted: (change: CheckedChange, before: SessionRecord) => boolean): Faults {
  return {
    async change(next, id, change, on) {
      const before = structuredClone(this.kept(id))
      const result = await next(id, change, on)
      const kept = this.kept(id)
      if (before && kept?.revision === before.revision && isCounted(change, before)) result.revision = ++kept.revision
      return result
    },
  }
}

function written(tamper: (record: SessionRecord) => void): Faults {
  return {
    write(record) {
      const copy = structuredClone(record)
      tamper(copy)
      return copy
    },
  }
}

/** Alters sessions that a change is not about. */
function others(tamper: (other: SessionRecord, change: CheckedChange, dropped: readonly string[]) => void): Faults {
  return {
    async change(next, id, change, on) {
      const dropped = this.kept(id)?.turns.slice(change.keepTurns ?? Infinity) ?? []
      const result = await next(id, change, on)
      for (const { session } of this.memory.map.values()) {
        if (session.sessionId !== id)
          tamper(
            session,
            change,
            dropped.map(({ turnId }) => turnId),
          )
      }
      return result
    },
  }
}

/** An index by time that is written for a change that does nothing to the session. */
function touched(by: 'nothing' | 'failed') {
  return (): Faults => {
    const times = new Map<string, string>()
    const later = (id: string, time: string) => (timeKey(times.get(id) ?? '') > timeKey(time) ? times.get(id) : time)
    return {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision
        const touch = () => before !== undefined && times.set(id, later(id, change.updatedAt) ?? '')
        try {
          const result = await next(id, change, on)
          if (by === 'nothing' && result.revision === before) touch()
          return result
        } catch (error) {
          if (by === 'failed') touch()
          throw error
        }
      },
      remove: (next, id, scope) => next(id, scope).finally(() => times.delete(id)),
      async query(_next, query) {
        const all = this.summaries(query.scope)
        const placed = all.map(each => ({ ...each, updatedAt: later(each.sessionId, each.updatedAt) ?? '' }))
        const page = await pageOfSummaries(query, placed)
        const right = page.sessions.flatMap(({ sessionId }) => all.find(each => each.sessionId === sessionId) ?? [])
        return { ...page, sessions: right }
      },
    }
  }
}

type Compare = (turn: TurnRecord, stored: TurnRecord) => boolean

function turnIn(store: RowStore, id: string, { turnId }: TurnRecord): TurnRecord | undefined {
  return store.kept(id)?.turns.findLast(stored => stored.turnId === turnId)
}

/** Takes a repetition for a conflict. */
function refusing(isOther: Compare): Faults {
  return {
    change(next, id, change, on) {
      const appendTurns = change.appendTurns.map(turn => {
        const stored = turnIn(this, id, turn)
        const isConflict = stored && isRetryOfTurn(stored, turn) && isOther(turn, stored)
        return isConflict ? { ...turn, prompt: `${turn.prompt} ` } : turn
      })
      return next(id, { ...change, appendTurns }, on)
    },
  }
}

/** Takes a conflict for a repetition. */
function skipping(isSame: Compare): Faults {
  return {
    change(next, id, change, on) {
      const appendTurns = change.appendTurns.map(turn => {
        const stored = turnIn(this, id, turn)
        return stored && isSame(turn, stored) ? stored : turn
      })
      return next(id, { ...change, appendTurns }, on)
    },
  }
}

/** Refuses some conditional retries. */
function late(isRefused: (change: CheckedChange, behind: number) => boolean): Faults {
  return {
    async change(next, id, change, on) {
      const result = await next(id, change, on)
      const behind = on.ifRevision === undefined ? 0 : result.revision - on.ifRevision
      const isRetry = behind > 0 && result.deduplicated.length === change.appendTurns.length
      if (isRetry && isRefused(change, behind)) throw revisionConflict(id, on.ifRevision ?? 0, result.revision)
      return result
    },
  }
}

function digested() {
  return (): Faults => {
    const appended = new Map<string, TurnRecord>()
    const keyOf = (id: string, { turnId }: TurnRecord) => `${id} ${turnId}`
    return {
      async change(next, id, change, on) {
        const appendTurns = change.appendTurns.map(turn => {
          const first = appended.get(keyOf(id, turn))
          const stored = turnIn(this, id, turn)
          return first && stored && sameTurn(first, turn) ? stored : turn
        })
        const result = await next(id, { ...change, appendTurns }, on)
        for (const turn of change.appendTurns)
          if (!result.deduplicated.includes(turn.turnId)) appended.set(keyOf(id, turn), turn)
        return result
      },
      replace: (next, session, on) => next(session, on).finally(() => appended.clear()),
      remove: (next, id, scope) => next(id, scope).finally(() => appended.clear()),
    }
  }
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? ''
}

function timeless(turn: TurnRecord): TurnRecord {
  return { ...turn, toolCalls: turn.toolCalls.map(call => ({ ...call, durationMs: null })) }
}

function shortened(turn: TurnRecord, length: number): TurnRecord {
  return { ...turn, prompt: turn.prompt.slice(0, length) }
}

type Query = NonNullable<Faults['query']>

/** A filter that is done in another way. */
function filtered(left: Partial<CheckedQuery>, isMeant: (each: SessionSummary, query: CheckedQuery) => boolean): Query {
  return async function (_next, query) {
    const found = this.summaries(query.scope).filter(each => isMeant(each, query))
    return rebound(query, await pageOfSummaries({ ...query, ...left }, found))
  }
}

/** Leaves filters out of some queries. */
function without(isShort: (query: CheckedQuery) => boolean, left: Partial<CheckedQuery>): Faults {
  return {
    query: async (next, query) => rebound(query, await next(isShort(query) ? { ...query, ...left } : query)),
  }
}

type Page = Awaited<ReturnType<Query>>

/** With a cursor that belongs to the query as it was asked. */
function rebound(query: CheckedQuery, page: Page): Page {
  const last = page.sessions.at(-1)
  return { ...page, cursor: page.cursor === null || last === undefined ? null : cursorAfter(query, last) }
}

/** What a query means, two at a time, by how many were given before. */
async function* byCount(store: RowStore, query: object): AsyncGenerator {
  for (let given = 0; ; given += 2) {
    const { sessions } = await store.querySessions({ ...query, limit: 1000 })
    if (given >= sessions.length) return
    yield* sessions.slice(given, given + 2)
  }
}
