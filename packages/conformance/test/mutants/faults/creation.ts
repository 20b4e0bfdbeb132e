import { createSession, isTurnstoreError, type SessionRecord } from '@turnstore/core'
import { outOfReach, planCreation, sessionNotFound } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import { type Faults, latency, type RowStore } from '../row-store.ts'

/** Sessions that a change creates otherwise than it says, elsewhere, or twice. */
export const creation = inMemory('creation', {
  'creates a session and then changes it': [
    'two calls',
    {
      async change(next, id, change, on) {
        if (on.creation === undefined || this.kept(id) !== undefined) return next(id, change, on)
        await this.saveSession(
          createSession({ sessionId: id, ...on.creation, createdAt: change.updatedAt, updatedAt: change.updatedAt }),
        )
        const result = await next(id, change, { ...on, creation: undefined })
        return { ...result, created: true }
      },
    },
  ],
  'leaves an empty session where the change fails': [
    'the session is inserted first',
    {
      async change(next, id, change, on) {
        try {
          return await next(id, change, on)
        } catch (error) {
          if (on.creation !== undefined && this.kept(id) === undefined)
            await this.saveSession(createSession({ sessionId: id, ...on.creation, metadata: {} }))
          throw error
        }
      },
    },
  ],
  'creates without a workspace': ['a column that is not set', creating(session => ({ ...session, workspaceId: null }))],
  'creates without an agent': ['a column that is not set', creating(session => ({ ...session, agentId: null }))],
  'creates without a parent': [
    'a column that is not set',
    creating(session => ({ ...session, parentSessionId: null })),
  ],
  'creates without the metadata': [
    'the change brings its own',
    {
      change: (next, id, change, on) =>
        next(id, change, { ...on, creation: on.creation && { ...on.creation, metadata: {} } }),
    },
  ],
  'creates at its own time': [
    'DEFAULT now()',
    creating(session => ({ ...session, createdAt: new Date().toISOString() })),
  ],
  'creates at revision 0': ['a counter that is not raised', creating(session => ({ ...session, revision: 0 }))],
  'does not say that it created': [
    'a member that came later',
    {
      async change(next, ...args) {
        const { created: _created, ...result } = await next(...args)
        return result
      },
    },
  ],
  'says that it created what was there': [
    'an upsert',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        return on.creation === undefined ? result : { ...result, created: true }
      },
    },
  ],
  'drops what it creates where the change rewinds': [
    'keepTurns is applied last',
    {
      async change(next, id, change, on) {
        const isMissing = this.kept(id) === undefined
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (isMissing && kept && change.keepTurns !== undefined) kept.turns = kept.turns.slice(0, change.keepTurns)
        return result
      },
    },
  ],
  'creates for an update as well': [
    'updates of no rows are no error',
    {
      change(next, id, change, on) {
        const isMissing = on.creation !== undefined && this.kept(id) === undefined
        return next(id, isMissing ? { ...change, updateTurns: [] } : change, on)
      },
    },
  ],
  'alters a session that is there as if it created it': [
    'ON CONFLICT DO UPDATE',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && on.creation !== undefined) kept.agentId = on.creation.agentId ?? kept.agentId
        return result
      },
    },
  ],
  'changes the session of another workspace': [
    'the id is the key',
    {
      change: (next, id, change, on) => next(id, change, on.creation === undefined ? on : { ...on, scope: undefined }),
    },
  ],
  'says that the session of another workspace is not there': [
    'one error for both',
    {
      change: (next, id, change, on) =>
        next(id, change, on).catch((error: unknown) => {
          throw isTurnstoreError(error, 'SESSION_EXISTS') ? sessionNotFound(id) : error
        }),
    },
  ],
  'creates over the session of another workspace': [
    'an upsert by id',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        if (on.creation !== undefined && kept && kept.workspaceId !== on.creation.workspaceId)
          this.memory.map.delete(id)
        return next(id, change, on)
      },
    },
  ],
  'creates twice at once': [
    'a look, then an INSERT OR REPLACE',
    {
      async change(next, id, change, on) {
        const isNew = on.creation !== undefined && on.idempotency === undefined && this.kept(id) === undefined
        if (on.creation === undefined || !isNew) return next(id, change, on)
        const { session, result } = planCreation(id, on.creation, change, on, this.bounds)
        await latency()
        await put(this, session)
        return result
      },
    },
  ],
  'gives up where another was first to create': [
    'INSERT, and a unique violation for an answer',
    {
      async change(next, id, change, on) {
        if (on.creation === undefined || this.kept(id) !== undefined) return next(id, change, on)
        await latency()
        if (this.kept(id) !== undefined) throw outOfReach(id, on, true)
        return next(id, change, on)
      },
    },
  ],
  'forgets the key of a creation': [
    'keys are rows of a session that is not there yet',
    {
      change(next, id, change, on) {
        return next(id, change, this.kept(id) === undefined ? { ...on, idempotency: undefined } : on)
      },
    },
  ],
  'repeats a creation without saying that it created': [
    'columns for what there was at first',
    {
      async change(next, ...args) {
        const { created, ...result } = await next(...args)
        return created && result.replayed !== true ? { ...result, created } : result
      },
    },
  ],
  'creates nothing after a delete': [
    'a tombstone',
    () => {
      const gone = new Set<string>()
      return {
        async remove(next, id, scope) {
          const deleted = await next(id, scope)
          if (deleted) gone.add(id)
          return deleted
        },
        change: (next, id, change, on) => next(id, change, gone.has(id) ? { ...on, creation: undefined } : on),
      }
    },
  ],
  'brings back what was deleted when it creates': [
    'a row that is marked as deleted, and marked anew',
    () => {
      const gone = new Map<string, SessionRecord>()
      return {
        async remove(next, id, scope) {
          const kept = this.kept(id)
          if (kept) gone.set(id, structuredClone(kept))
          return next(id, scope)
        },
        async change(next, id, change, on) {
          const isMissing = this.kept(id) === undefined
          const result = await next(id, change, on)
          const kept = this.kept(id)
          if (isMissing && kept) kept.turns = [...(gone.get(id)?.turns ?? []), ...kept.turns]
          return result
        },
      }
    },
  ],
})

/** Alters a session that a change creates. */
function creating(alter: (session: SessionRecord) => SessionRecord): Faults {
  return {
    async change(next, id, change, on) {
      const isMissing = this.kept(id) === undefined
      const result = await next(id, change, on)
      const kept = this.kept(id)
      if (isMissing && kept) Object.assign(kept, alter(kept))
      return result
    },
  }
}

async function put(store: RowStore, session: SessionRecord): Promise<void> {
  await store.memory.put(session.sessionId, session, (await store.memory.get(session.sessionId))?.token ?? null)
}
