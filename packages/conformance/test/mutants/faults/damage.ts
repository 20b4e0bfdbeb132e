import { createSession } from '@turnstore/core'
import { inMemory } from '../mutant.ts'

/** Stores that lose what is left of a session that cannot be read, or keep it for ever. */
export const damage = inMemory('damage', {
  'saves over a session that it cannot read': [
    'an upsert that never looks at the row',
    {
      async replace(next, session, on) {
        this.memory.repair(session.sessionId)
        return next(session, on)
      },
    },
  ],
  'rewinds a session that it cannot read': [
    'DELETE FROM turns WHERE seq >= ?',
    {
      async change(next, id, change, on) {
        if (change.keepTurns !== undefined) this.memory.repair(id)
        return next(id, change, on)
      },
    },
  ],
  'deletes a session that it cannot read': [
    'DELETE by id',
    {
      async remove(next, id, scope) {
        this.memory.repair(id)
        return next(id, scope)
      },
    },
  ],
  'keeps a damaged session for ever': [
    'a delete that needs the version of the row',
    { delete: async (next, id, token) => token === null || next(id, token) },
  ],
  'leaves a damaged session out of its lists': [
    'a catch that goes on with the next row',
    { query: async (next, query) => ({ ...(await next(query)), damaged: [] }) },
  ],
  'reads a damaged session as an empty one': [
    'JSON.parse in a try, with a default',
    {
      load: (next, id, scope) => next(id, scope).catch(() => ({ session: createSession({ sessionId: id }), token: 0 })),
    },
  ],
  'deletes a damaged session of another workspace': [
    'the scope is looked at after the row is read',
    { remove: (next, id) => next(id, undefined) },
  ],
})
