import { type SessionRecord, TurnstoreError, type TurnRecord } from '@turnstore/core'
import { revisionConflict } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'

/** What a table has no column for, and what a second write leaves of the first. */
export const records = inMemory('records', {
  'loses unknown keys of a session': [
    'a table with a column a member',
    { write: ({ extra: _extra, ...record }) => clone(record) },
  ],
  'loses unknown keys of a turn': ['a table with a column a member', turns(({ extra: _extra, ...turn }) => turn)],
  'loses unknown keys of a tool call': [
    'a table with a column a member',
    turns(turn => ({ ...turn, toolCalls: turn.toolCalls.map(({ extra: _extra, ...call }) => call) })),
  ],
  'loses unknown keys of a transition': [
    'a table with a column a member',
    {
      write: record => ({
        ...clone(record),
        agentTransitions: record.agentTransitions.map(({ extra: _extra, ...rest }) => rest),
      }),
    },
  ],
  'loses the parent of a session': [
    'a member that came later',
    { write: record => ({ ...clone(record), parentSessionId: null }) },
  ],
  'loses the sandbox of a tool call': ['a member that came later', calls({ sandboxContext: null })],
  'loses the duration of a tool call that took no time': [
    '0 is taken for none',
    turns(turn => ({
      ...turn,
      toolCalls: turn.toolCalls.map(call => ({ ...call, durationMs: call.durationMs || null })),
    })),
  ],
  'makes an empty response of none': [
    'a column that is NOT NULL',
    turns(turn => ({ ...turn, responseContent: turn.responseContent ?? '' })),
  ],
  'makes none of an empty error': [
    'an empty text is taken for none',
    turns(turn => ({ ...turn, error: turn.error || null })),
  ],
  'makes none of an empty end': [
    'an empty time is taken for none',
    turns(turn => ({ ...turn, endedAt: turn.endedAt || null })),
  ],
  'sorts turns by their time': [
    'ORDER BY started_at',
    {
      write: record => ({
        ...clone(record),
        turns: record.turns.toSorted((a, b) => compare(a.startedAt, b.startedAt)),
      }),
    },
  ],
  'sorts turns by their id': [
    'the primary key is the order',
    { read: record => ({ ...clone(record), turns: record.turns.toSorted((a, b) => compare(a.turnId, b.turnId)) }) },
  ],
  'sorts tool calls by their id': [
    'tool calls are the members of an object',
    turns(turn => ({ ...turn, toolCalls: turn.toolCalls.toSorted((a, b) => compare(a.callId, b.callId)) })),
  ],
  'keeps each audit event once': [
    'a set',
    turns(turn => ({ ...turn, auditEventIds: [...new Set(turn.auditEventIds)] })),
  ],
  'sorts transitions by their time': [
    'ORDER BY timestamp',
    {
      write: record => ({
        ...clone(record),
        agentTransitions: record.agentTransitions.toSorted((a, b) => compare(a.timestamp, b.timestamp)),
      }),
    },
  ],
  'writes times in a form of its own': [
    'a column of type TIMESTAMP',
    {
      write: record => ({
        ...clone(record),
        createdAt: Number.isNaN(Date.parse(record.createdAt)) ? '' : new Date(record.createdAt).toISOString(),
      }),
    },
  ],
  'sets the time of creation itself': [
    'DEFAULT now()',
    { write: record => ({ ...clone(record), createdAt: record.createdAt || '2026-01-01T00:00:00Z' }) },
  ],
  'keeps the old turns when a session is saved without any': [
    'DELETE of the old turns only where there are new ones',
    {
      save(next, session, token) {
        const old = this.kept(session.sessionId)?.turns ?? []
        return next(session.turns.length === 0 ? { ...session, turns: old } : session, token)
      },
    },
  ],
  'keeps old turns behind the new ones': [
    'UPSERT of each turn, and no DELETE',
    {
      replace(next, session, on) {
        const old = this.kept(session.sessionId)?.turns ?? []
        return next({ ...session, turns: [...session.turns, ...old.slice(session.turns.length)] }, on)
      },
    },
  ],
  'merges metadata when a session is saved': [
    'a merge patch',
    {
      replace(next, session, on) {
        return next({ ...session, metadata: { ...this.kept(session.sessionId)?.metadata, ...session.metadata } }, on)
      },
    },
  ],
  'keeps the time of creation when a session is replaced': [
    'ON CONFLICT DO UPDATE of some columns',
    {
      replace(next, session, on) {
        return next({ ...session, createdAt: this.kept(session.sessionId)?.createdAt ?? session.createdAt }, on)
      },
    },
  ],
  'keeps each turnId once when a session is saved': [
    'a unique index over (session_id, turn_id)',
    {
      write: record => ({
        ...clone(record),
        turns: [...new Map(record.turns.map(turn => [turn.turnId, turn])).values()],
      }),
    },
  ],
  'takes the revision of the record': [
    'what is saved is what the caller holds',
    {
      replace: async function (next, session, on) {
        await next(session, on)
        const kept = this.kept(session.sessionId)
        if (kept !== undefined) kept.revision = session.revision
        return session.revision
      },
    },
  ],
  'leaves the revision alone where a save alters nothing': [
    'an UPDATE only where something differs',
    {
      async replace(next, session, on) {
        const kept = this.kept(session.sessionId)
        const same =
          kept !== undefined && JSON.stringify({ ...kept, revision: 0 }) === JSON.stringify({ ...session, revision: 0 })
        return same && on.ifRevision === undefined ? kept.revision : next(session, on)
      },
    },
  ],
  'goes on counting revisions behind a delete': [
    'a counter that is not deleted with the row',
    () => {
      const last = new Map<string, number>()
      return {
        async remove(next, id, scope) {
          last.set(id, this.kept(id)?.revision ?? 0)
          return next(id, scope)
        },
        save(next, session, token) {
          const offset = token === null ? (last.get(session.sessionId) ?? 0) : 0
          return next({ ...session, revision: session.revision + offset }, token)
        },
      }
    },
  ],
  'takes ifRevision 0 for no condition': [
    'the truth of 0',
    { replace: (next, session, on) => next(session, { ...on, ifRevision: on.ifRevision || undefined }) },
  ],
  'says that it deleted what was not there': [
    'DELETE without a look at the count',
    { remove: async (next, id, scope) => (await next(id, scope)) || true },
  ],
  'lists deleted sessions': [
    'an index that the delete forgets',
    () => {
      const ids = new Set<string>()
      return {
        save: (next, session, token) => next(session, token).finally(() => ids.add(session.sessionId)),
        list: async (next, scope) =>
          scope === undefined ? [...new Set([...(await next(scope)), ...ids])] : next(scope),
      }
    },
  ],
  'gives an empty session for none': [
    'a default in place of null',
    {
      readTurns: async (next, ...args) =>
        (await next(...args)) ?? { turns: [], firstIndex: 0, turnCount: 0, revision: 0 },
    },
  ],
  'loses the transitions of a session that was made anew': [
    'an index of ids that a delete forgets',
    () => {
      const used = new Set<string>()
      return {
        save(next, session, token) {
          for (const { transitionId } of session.agentTransitions)
            used.add(`${session.sessionId} ${transitionId ?? ''}`)
          return next(session, token)
        },
        change(next, id, change, on) {
          const live = this.kept(id)?.agentTransitions.map(({ transitionId }) => transitionId) ?? []
          const isStale = (transitionId: string | null): boolean =>
            transitionId !== null && used.has(`${id} ${transitionId}`) && !live.includes(transitionId)
          const appendAgentTransitions = change.appendAgentTransitions.filter(
            ({ transitionId }) => !isStale(transitionId),
          )
          for (const { transitionId } of change.appendAgentTransitions) used.add(`${id} ${transitionId ?? ''}`)
          return next(id, { ...change, appendAgentTransitions }, on)
        },
      }
    },
  ],
  'keeps the extra of the turn before where a turn is saved anew': [
    'UPSERT that leaves out what is undefined',
    {
      replace(next, session, on) {
        const before = this.kept(session.sessionId)?.turns ?? []
        const turns = session.turns.map((turn, index) => {
          const extra = turn.extra ?? before[index]?.extra
          return extra === undefined ? turn : { ...turn, extra }
        })
        return next({ ...session, turns }, on)
      },
    },
  ],
  'declares a durability that nobody knows': [
    'a word of its own',
    { capabilities: Object.defineProperty({}, 'durability', { value: 'strong', enumerable: true }) },
  ],
  'takes a conditional save that comes again for done': [
    'a digest of what was stored last is compared before the condition',
    {
      async replace(next, session, on) {
        const kept = this.kept(session.sessionId)
        const isThere =
          kept !== undefined && JSON.stringify({ ...kept, revision: 0 }) === JSON.stringify({ ...session, revision: 0 })
        return isThere && on.ifRevision === kept.revision - 1 ? kept.revision : next(session, on)
      },
    },
  ],
  'tells the revision that a deleted session had': [
    'rows that are marked as deleted',
    () => {
      const last = new Map<string, number>()
      return {
        remove(next, id, scope) {
          last.set(id, this.kept(id)?.revision ?? 0)
          return next(id, scope)
        },
        async replace(next, session, on) {
          const revision = last.get(session.sessionId)
          if (revision && on.ifRevision && !this.kept(session.sessionId))
            throw revisionConflict(session.sessionId, on.ifRevision, revision)
          return next(session, on)
        },
      }
    },
  ],
  'saves over a deleted session at the revision that it had': [
    'rows that are marked as deleted, and UPDATE … WHERE revision = ?',
    () => {
      const last = new Map<string, number>()
      return {
        remove(next, id, scope) {
          last.set(id, this.kept(id)?.revision ?? 0)
          return next(id, scope)
        },
        replace: (next, session, on) =>
          next(session, on.ifRevision === last.get(session.sessionId) ? { ...on, ifRevision: undefined } : on),
      }
    },
  ],
  'says of a deleted session that it is at another revision': [
    'rows that are marked as deleted, and the condition is checked first',
    () => {
      const last = new Map<string, number>()
      return {
        remove(next, id, scope) {
          last.set(id, this.kept(id)?.revision ?? 0)
          return next(id, scope)
        },
        async change(next, id, change, on) {
          const revision = last.get(id)
          if (revision && on.ifRevision && !this.kept(id)) throw revisionConflict(id, on.ifRevision, revision)
          return next(id, change, on)
        },
      }
    },
  ],
  'deletes the forks of a session with it': [
    'REFERENCES sessions ON DELETE CASCADE',
    {
      async remove(next, id, scope) {
        const deleted = await next(id, scope)
        for (const { session } of deleted ? [...this.memory.map.values()] : [])
          if (session.parentSessionId === id) this.memory.map.delete(session.sessionId)
        return deleted
      },
    },
  ],
  'takes the parent of forks away when it is deleted': [
    'REFERENCES sessions ON DELETE SET NULL',
    {
      async remove(next, id, scope) {
        const deleted = await next(id, scope)
        for (const { session } of deleted ? this.memory.map.values() : [])
          if (session.parentSessionId === id) session.parentSessionId = null
        return deleted
      },
    },
  ],
  'deletes no session that has forks': [
    'a foreign key that is violated',
    {
      async remove(next, id, scope) {
        for (const { session } of this.memory.map.values()) {
          if (session.parentSessionId === id)
            throw new TurnstoreError('STORE_UNAVAILABLE', 'a foreign key is violated', { outcome: 'not-stored' })
        }
        return next(id, scope)
      },
    },
  ],
  'keeps each transition once when a session is saved': [
    'a unique index over (session_id, transition_id)',
    {
      write: record => ({
        ...clone(record),
        agentTransitions: record.agentTransitions.filter(
          ({ transitionId }, index, all) =>
            transitionId === null || all.findIndex(other => other.transitionId === transitionId) === index,
        ),
      }),
    },
  ],
  'keeps each tool call once when a session is saved': [
    'a unique index over (turn_id, call_id)',
    turns(turn => ({ ...turn, toolCalls: [...new Map(turn.toolCalls.map(call => [call.callId, call])).values()] })),
  ],
  'declares more before it is ready than behind': [
    'what a backend is hoped to do, until its settings are read',
    {
      capabilities: { durability: 'power-loss' },
      async ready(next) {
        await next()
        Object.assign(this.capabilities, { durability: 'none' })
      },
    },
  ],
  'declares a failover that nobody knows': [
    'true, as of a capability that one has or has not',
    {
      async ready(next) {
        await next()
        Object.assign(this.capabilities, { failover: true })
      },
    },
  ],
  'cuts times at 64 characters': ['VARCHAR(64)', turns(turn => ({ ...turn, startedAt: turn.startedAt.slice(0, 64) }))],
  'replaces lone surrogates in times': [
    'a text sent as UTF-8',
    turns(turn => ({ ...turn, startedAt: turn.startedAt.replaceAll(/\p{Surrogate}/gu, '\ufffd') })),
  ],
  'takes blanks off times': ['trim()', turns(turn => ({ ...turn, startedAt: turn.startedAt.trim() }))],
  'compares the condition of a save in 32 bits': [
    'a parameter of type INTEGER that wraps',
    {
      replace: (next, session, on) =>
        next(session, on.ifRevision === undefined ? on : { ...on, ifRevision: on.ifRevision % 2 ** 32 }),
    },
  ],
})

function clone<T>(value: T): T {
  return structuredClone(value)
}

function turns(alter: (turn: TurnRecord) => TurnRecord): { write: (record: SessionRecord) => SessionRecord } {
  return { write: record => ({ ...clone(record), turns: record.turns.map(turn => alter(clone(turn))) }) }
}

function calls(members: Partial<TurnRecord['toolCalls'][number]>) {
  return turns(turn => ({ ...turn, toolCalls: turn.toolCalls.map(call => ({ ...call, ...members })) }))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
