import { applyPlan, inScope, nextRevision, resultOf, planChange, viewOf } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import { latency, type Faults, type RowStore } from '../row-store.ts'

/** Writers who overtake each other, and readers who see the middle of a write. */
export const concurrency = inMemory('concurrency', {
  'lets the last writer win': [
    'read, modify, write',
    {
      async save(next, session, token) {
        return (await next(session, token)) || next(session, (await this.memory.get(session.sessionId))?.token ?? null)
      },
    },
  ],
  'looks at the token and writes later': [
    'SELECT, then UPDATE by id',
    {
      async save(_next, session, token) {
        const current = await this.memory.get(session.sessionId)
        if ((current?.token ?? null) !== token) return false
        await latency()
        return this.memory.put(
          session.sessionId,
          structuredClone(session),
          (await this.memory.get(session.sessionId))?.token ?? null,
        )
      },
    },
  ],
  'applies a change again when it is not sure': [
    'a retry of the driver under a write that is not idempotent',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        const again =
          change.appendTurns.length === 0 && Object.keys(change.setMetadata).length > 0 && on.ifRevision === undefined
        const kept = this.kept(id)
        if (again && kept && result.revision % 7 === 0) result.revision = ++kept.revision
        return result
      },
    },
  ],
  'gives up a change that lost against another': [
    'one attempt, and false is taken for done',
    { save: async (next, session, token) => (await next(session, token)) || token !== null },
  ],
  'lets two writers of one condition both win': [
    'the condition is checked before the lock is taken',
    {
      async replace(_next, session, on) {
        const found = await this._get(session.sessionId, undefined)
        nextRevision(session, found?.session ?? null, on)
        for (;;) {
          const current = await this._get(session.sessionId, undefined)
          const revision = (current?.session.revision ?? 0) + 1
          if (await this._put({ ...session, revision }, current?.token ?? null)) return revision
        }
      },
    },
  ],
  'lets two conditional changes both win': [
    'the condition is checked before the lock is taken',
    {
      async change(next, id, change, on) {
        const found = await this._get(id, on.scope)
        const isRight = found?.session.revision === on.ifRevision
        return next(id, change, isRight ? { ...on, ifRevision: undefined } : on)
      },
    },
  ],
  'lets two creators both win': [
    'SELECT, then INSERT OR REPLACE',
    {
      async save(next, session, token) {
        if (token !== null) return next(session, token)
        return next(session, (await this.memory.get(session.sessionId))?.token ?? null)
      },
    },
  ],
  'lets two workspaces take one id': [
    'the owner is looked up before the lock is taken',
    {
      async replace(_next, session, on) {
        const found = await this._get(session.sessionId, undefined)
        const revision = nextRevision(session, found?.session ?? null, on)
        await latency()
        const current = await this.memory.get(session.sessionId)
        await this.memory.put(session.sessionId, structuredClone({ ...session, revision }), current?.token ?? null)
        return revision
      },
    },
  ],
  'appends a turn twice when two retries meet': [
    'the ids are looked up before the lock is taken',
    {
      async change(_next, id, change, on) {
        const found = await this._get(id, on.scope)
        const before = found?.session.turns.map(({ turnId }) => turnId) ?? []
        const fresh = change.appendTurns.filter(({ turnId }) => !before.includes(turnId))
        const rest = { ...change, appendTurns: change.appendTurns.filter(turn => !fresh.includes(turn)) }
        const result = await _next(id, { ...rest, appendTurns: change.appendTurns }, on)
        const kept = this.kept(id)
        for (const turn of fresh) {
          if (kept && result.deduplicated.includes(turn.turnId)) kept.turns.push(structuredClone(turn))
        }
        return result
      },
    },
  ],
  'loses one of two tool calls': [
    'the list of calls is read before the lock is taken',
    {
      async change(next, id, change, on) {
        const [update] = change.updateTurns
        const calls =
          (await this._get(id, on.scope))?.session.turns.find(({ turnId }) => turnId === update?.turnId)?.toolCalls ??
          []
        await latency()
        const result = await next(id, change, on)
        const turn = this.kept(id)?.turns.find(({ turnId }) => turnId === update?.turnId)
        const put = update?.putToolCalls.map(({ call }) => call) ?? []
        if (turn && put.length > 0) {
          turn.toolCalls = [
            ...calls.filter(known => !put.some(({ callId }) => callId === known.callId)),
            ...structuredClone(put),
          ]
        }
        return result
      },
    },
  ],
  'loses one of two members of the metadata': [
    'metadata is one column, read before the lock is taken',
    {
      async change(next, id, change, on) {
        const metadata = { ...(await this._get(id, on.scope))?.session.metadata }
        await latency()
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && Object.keys(change.setMetadata).length > 0)
          kept.metadata = { ...metadata, ...structuredClone(change.setMetadata) }
        return result
      },
    },
  ],
  'gives two changes one revision': [
    'MAX(revision) + 1 of a moment ago',
    {
      async change(next, id, change, on) {
        const before = this.kept(id)?.revision ?? 0
        const result = await next(id, change, on)
        return result.revision > before ? { ...result, revision: before + 1 } : result
      },
    },
  ],
  'reads the head and the turns of two moments': [
    'two SELECTs without a transaction',
    {
      async load(next, id, scope) {
        const found = await next(id, scope)
        await latency()
        const now = await this.memory.get(id)
        return found && now
          ? { ...found, session: { ...found.session, turns: structuredClone(now.session.turns) } }
          : found
      },
    },
  ],
  'counts turns of another moment in a page': [
    'two SELECTs without a transaction',
    {
      async readTurns(next, id, range, scope) {
        const page = await next(id, range, scope)
        await latency()
        return page && { ...page, revision: this.kept(id)?.revision ?? page.revision }
      },
    },
  ],
  'shows half a change': [
    'metadata first, the turns a moment later',
    {
      async save(next, session, token) {
        const kept = this.kept(session.sessionId)
        if (kept && (await this.memory.get(session.sessionId))?.token === token)
          kept.metadata = structuredClone(session.metadata)
        await latency()
        return next(session, token)
      },
    },
  ],
  'shows a reader an older state than before': [
    'reads from a replica that lags',
    () => {
      const older = new Map<string, Awaited<ReturnType<RowStore['_get']>>>()
      return {
        around: (next, method, args) => next(...args, ...(method === 'never' ? [older] : [])),
        async loadSummary(next, id, scope) {
          const summary = await next(id, scope)
          const kept = this.kept(id)
          return summary && kept && kept.revision > 2 && Math.random() < 0.2
            ? { ...summary, revision: summary.revision - 2, turnCount: summary.turnCount - 2 }
            : summary
        },
      }
    },
  ],
  'forgets the conditions of a save over several handles': [
    'a revision that is kept in the handle',
    () => {
      const known = new Map<string, number>()
      return {
        async replace(next, session, on) {
          const mine = known.get(session.sessionId)
          const revision = await next(
            session,
            mine !== undefined && mine === on.ifRevision ? { ...on, ifRevision: undefined } : on,
          )
          known.set(session.sessionId, revision)
          return revision
        },
      }
    },
  ],
  'serves every second reader from a cache': ['a cache per handle that only its own writes clear', cached()],
  'gives up after a few attempts': [
    'three retries and no waiting in between',
    () => {
      const attempts = new WeakMap<object, number>()
      return {
        async save(next, session, token) {
          const stored = await next(session, token)
          const last = session.turns.at(-1) ?? session
          const count = (attempts.get(last) ?? 0) + 1
          attempts.set(last, count)
          if (!stored && count > 3) throw new Error('gave up')
          return stored
        },
      }
    },
  ],
  'takes a digest of the content for its version': [
    'an ETag of the document without its revision',
    {
      tokenOf: ({ session: { revision: _revision, ...content } }) => JSON.stringify(content),
    },
  ],
  'takes the time of a write for its version': [
    'mtime, in milliseconds',
    () => {
      const times = new WeakMap<object, number>()
      return {
        tokenOf(row) {
          const time = times.get(row) ?? Date.now()
          times.set(row, time)
          return time
        },
      }
    },
  ],
  'queues per handle and not per session': [
    'a mutex in this process, around a write without a condition',
    () => {
      let last: Promise<unknown> = Promise.resolve()
      return {
        change(_next, id, change, on) {
          const result = last.then(() => unguarded(this, id, change, on))
          last = result.catch(() => {})
          return result
        },
      }
    },
  ],
})

const unguarded = async (store: RowStore, ...[id, change, on]: Parameters<Change>) => {
  const row = await store.memory.get(id)
  if (row === null || !inScope(row.session, on.scope)) throw notFound(id)
  const session = structuredClone(row.session)
  await latency()
  const plan = planChange(viewOf(session), change, on)
  await store.memory.put(id, applyPlan(session, plan), (await store.memory.get(id))?.token ?? null)
  return resultOf(plan)
}

type Tail<T extends unknown[]> = T extends [unknown, ...infer Rest] ? Rest : never
type Change = (...args: Tail<Parameters<NonNullable<Faults['change']>>>) => unknown

function notFound(id: string): Error {
  return Object.assign(new Error(`Session not found: ${id}`), {
    name: 'TurnstoreError',
    code: 'SESSION_NOT_FOUND',
    outcome: 'not-stored',
  })
}

function cached() {
  return (): Faults => {
    const seen = new Map<string, { revision: number; turnCount: number }>()
    return {
      async loadSummary(next, id, scope) {
        const summary = await next(id, scope)
        if (summary === null) return null
        const { revision, turnCount } = seen.get(id) ?? summary
        seen.set(id, { revision: summary.revision, turnCount: summary.turnCount })
        return { ...summary, revision, turnCount }
      },
    }
  }
}
