import type { TurnRecord } from '@turnstore/core'
import { inMemory } from '../mutant.ts'
import { latency } from '../row-store.ts'

/** Sessions that come back, and writers who reach the successor of what they loaded. */
export const deleting = inMemory('deleting', {
  'brings a deleted session back': [
    'UPSERT at the end of read, modify, write',
    {
      async save(next, session, token) {
        return (await next(session, token)) || (!this.memory.map.has(session.sessionId) && next(session, null))
      },
    },
  ],
  'lets a writer of a deleted session reach its successor': [
    'the revision is the version: it begins anew',
    { tokenOf: ({ session }) => session.revision },
  ],
  'takes the time of a change for its version': [
    'updated_at is the version',
    { tokenOf: ({ session }) => `${session.updatedAt} ${session.turns.length}` },
  ],
  'takes the content for its version': [
    'an ETag that is a digest of the content',
    { tokenOf: ({ session }) => JSON.stringify([session.turns.map(({ turnId }) => turnId), session.revision]) },
  ],
  'takes the number of turns and transitions for its version': [
    'a length is compared and set',
    { tokenOf: ({ session }) => session.turns.length + session.agentTransitions.length },
  ],
  'says of each of two deletes that it deleted': [
    'a look, then DELETE, and the answer of the look',
    {
      async remove(next, id, scope) {
        const there = (await this._get(id, scope)) !== null
        const deleted = await next(id, scope)
        return deleted || there
      },
    },
  ],
  'ignores the revision that a delete names': ['DELETE by id', { remove: (next, id, scope) => next(id, scope, null) }],
  'compares the revision that a delete names in a read of its own': [
    'SELECT, then DELETE by id',
    {
      async remove(next, id, scope, ifRevision) {
        const found = await this._get(id, scope)
        if (ifRevision !== undefined && found?.session.revision !== ifRevision) return next(id, scope, ifRevision)
        await latency()
        return next(id, scope, null)
      },
    },
  ],
  'deletes the head and leaves the turns': [
    'no ON DELETE CASCADE',
    () => {
      const left = new Map<string, TurnRecord[]>()
      return {
        remove(next, id, scope) {
          left.set(id, this.kept(id)?.turns ?? [])
          return next(id, scope)
        },
        save: (next, session, token) =>
          next(
            token === null
              ? { ...session, turns: [...(left.get(session.sessionId) ?? []), ...session.turns] }
              : session,
            token,
          ),
      }
    },
  ],
  'deletes a moment after it said so': [
    'a delete that is queued',
    {
      async remove(next, id, scope) {
        const there = (await this._get(id, scope)) !== null
        void soon()
        return there

        async function soon(): Promise<void> {
          await latency()
          await next(id, scope)
        }
      },
    },
  ],
  'fails a change that finds its session gone with another code': [
    'a foreign key that is violated',
    {
      change: (next, ...args) =>
        next(...args).catch(error => {
          throw Object.assign(error instanceof Error ? error : new Error('failed'), { code: 'STORE_BUSY' })
        }),
    },
  ],
})
