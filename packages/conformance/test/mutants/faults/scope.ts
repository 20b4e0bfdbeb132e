import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import { isRetryOfTurn, nextRevision, revisionConflict } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'

/** Calls that see, change, list or move what belongs to another workspace. */
export const scope = inMemory('scope', {
  'ignores the scope on delete': ['DELETE by id', { remove: (next, id) => next(id, undefined) }],
  'ignores the scope on loading': [
    'SELECT by id',
    { load: (next, id) => next(id, undefined), around: unscoped('loadSession') },
  ],
  'ignores the scope on reading turns': [
    'SELECT of turns by session',
    { readTurns: (next, id, range) => next(id, range, undefined) },
  ],
  'ignores the scope on one turn': [
    'SELECT of a turn by id',
    { readTurns: (next, id, range, scope) => next(id, range, range.kind === 'turnId' ? undefined : scope) },
  ],
  'ignores the scope on heads': [
    'SELECT of heads by session',
    { readHeads: (next, id, range) => next(id, range, undefined) },
  ],
  'ignores the scope on parts': [
    'SELECT of parts by session and turn',
    { readParts: (_store, next, id, turnId, range) => next(id, turnId, range, undefined) },
  ],
  'names the workspace that holds an id which it was to create': [
    'a message that helps',
    {
      change(next, id, change, on) {
        return next(id, change, on).catch((error: unknown) => {
          if (!isTurnstoreError(error, 'SESSION_EXISTS')) throw error
          const message = `The session belongs to ${String(this.kept(id)?.workspaceId)}`
          throw new TurnstoreError('SESSION_EXISTS', message, { sessionId: id, outcome: 'not-stored' })
        })
      },
    },
  ],
  'ignores the scope on summaries': ['SELECT of the head by id', { loadSummary: (next, id) => next(id, undefined) }],
  'ignores the scope on queries': [
    'the filter is left out of the first page',
    { query: (next, query) => next({ ...query, scope: undefined }) },
  ],
  'ignores the scope where a query has filters': [
    'OR without brackets',
    { query: (next, query) => next(query.metadata.length > 0 ? { ...query, scope: undefined } : query) },
  ],
  'ignores the scope on changes': [
    'UPDATE by id',
    { change: (next, id, change, on) => next(id, change, { ...on, scope: undefined }) },
  ],
  'ignores the scope on changes that alter nothing': [
    'a way out before the checks',
    {
      change: async function (next, id, change, on) {
        const kept = this.kept(id)
        const empty =
          change.appendTurns.length === 0 &&
          change.updateTurns.length === 0 &&
          change.keepTurns === undefined &&
          change.agentId === undefined
        if (kept && empty) return { revision: kept.revision, turnCount: kept.turns.length, deduplicated: [] }
        return next(id, change, on)
      },
    },
  ],
  'tells the revision of a session of another workspace': [
    'the condition is checked before the scope',
    {
      change: async function (next, id, change, on) {
        const revision = this.kept(id)?.revision
        if (revision !== undefined && on.ifRevision !== undefined && on.ifRevision !== revision)
          throw revisionConflict(id, on.ifRevision, revision)
        return next(id, change, on)
      },
    },
  ],
  'tells the revision of a session of another workspace on save': [
    'the condition is checked before the owner',
    {
      replace: async function (next, session, on) {
        const revision = this.kept(session.sessionId)?.revision
        if (revision !== undefined && on.ifRevision !== undefined && on.ifRevision !== revision)
          throw revisionConflict(session.sessionId, on.ifRevision, revision)
        return next(session, on)
      },
    },
  ],
  'moves a session between workspaces on save': [
    'the last writer wins, its workspace too',
    {
      async replace(_next, session, on) {
        const found = await this.memory.get(session.sessionId)
        const revision = nextRevision(session, found && { ...found.session, workspaceId: session.workspaceId }, on)
        await this.memory.put(session.sessionId, structuredClone({ ...session, revision }), found?.token ?? null)
        return revision
      },
    },
  ],
  'lets a workspace take a session that has none': [
    'null is taken for nobody',
    {
      async replace(next, session, on) {
        const kept = this.kept(session.sessionId)
        if (kept?.workspaceId === null) kept.workspaceId = session.workspaceId
        return next(session, on)
      },
    },
  ],
  'lets a session lose its workspace': [
    'null is taken for no change',
    {
      async replace(next, session, on) {
        const kept = this.kept(session.sessionId)
        return next({ ...session, workspaceId: session.workspaceId ?? kept?.workspaceId ?? null }, on)
      },
    },
  ],
  'takes null for all workspaces in lists': [
    'null and undefined are one',
    { list: (next, scope) => next(scope ?? undefined) },
  ],
  'takes null for all workspaces in queries': [
    'null and undefined are one',
    { query: (next, query) => next({ ...query, scope: query.scope ?? undefined }) },
  ],
  'takes null for all workspaces on delete': [
    'null and undefined are one',
    { remove: (next, id, scope) => next(id, scope ?? undefined) },
  ],
  'shows sessions without a workspace to all': [
    'OR workspace_id IS NULL',
    {
      list: async (next, scope) =>
        typeof scope === 'string' ? [...(await next(scope)), ...(await next(null))] : next(scope),
    },
  ],
  'takes workspaces that differ by case for one': [
    'a collation that folds case',
    {
      async list(_next, scope) {
        return [...this.memory.map.values()]
          .filter(({ session }) => scope === undefined || session.workspaceId?.toLowerCase() === scope?.toLowerCase())
          .map(({ session }) => session.sessionId)
      },
    },
  ],
  'checks the scope before it deletes, and deletes by id': [
    'two statements without a transaction',
    {
      async remove(_next, id, scope) {
        const found = await this._get(id, scope)
        if (found === null || (scope !== undefined && found.session.workspaceId !== scope)) return false
        await new Promise(setImmediate)
        return this.memory.map.delete(id)
      },
    },
  ],
  'leaves a deleted session in the list of its workspace': [
    'an index by workspace that the delete forgets',
    () => {
      const members = new Map<string, string>()
      return {
        save: (next, session, token) => {
          if (session.workspaceId !== null) members.set(session.sessionId, session.workspaceId)
          return next(session, token)
        },
        list: async (next, scope) =>
          typeof scope === 'string'
            ? [...new Set([...(await next(scope)), ...[...members].filter(([, of]) => of === scope).map(([id]) => id)])]
            : next(scope),
      }
    },
  ],
  'recognises a retry before it looks at the workspace': [
    'the turns are looked up by session and id first',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        const isThere = change.appendTurns.every(turn =>
          kept?.turns.some(known => known.turnId === turn.turnId && isRetryOfTurn(known, turn)),
        )
        if (kept === undefined || change.appendTurns.length === 0 || !isThere) return next(id, change, on)
        return next(id, change, { ...on, scope: undefined })
      },
    },
  ],
  'tells of a turn of another workspace that it is another': [
    'a unique index fails before the workspace is looked at',
    {
      async change(next, id, change, on) {
        const isKnown = change.appendTurns.some(turn =>
          this.kept(id)?.turns.some(known => known.turnId === turn.turnId && !isRetryOfTurn(known, turn)),
        )
        return next(id, change, isKnown ? { ...on, scope: undefined } : on)
      },
    },
  ],
  'names the workspace that holds an id': [
    'a helpful message',
    {
      async replace(next, session, on) {
        const holder = this.kept(session.sessionId)?.workspaceId
        if (holder === undefined || holder === session.workspaceId) return next(session, on)
        throw new TurnstoreError('SESSION_EXISTS', `${session.sessionId} is in use in ${holder ?? 'no workspace'}`, {
          sessionId: session.sessionId,
          outcome: 'not-stored',
        })
      },
    },
  ],
  'says how many turns the session of another workspace has': [
    'the row is put into the cause',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        if (kept === undefined || on.scope === undefined || kept.workspaceId === on.scope) return next(id, change, on)
        throw new TurnstoreError('SESSION_NOT_FOUND', `Session not found: ${id}`, {
          sessionId: id,
          outcome: 'not-stored',
          cause: new Error(`row of ${kept.turns.length} turns`),
        })
      },
    },
  ],
  'lets a parent of another workspace take its forks along': [
    'the forks of a session are looked up by their parent alone',
    {
      async list(next, scope) {
        const ids = await next(scope)
        if (typeof scope !== 'string') return ids
        const forks = [...this.memory.map.values()].filter(({ session }) => ids.includes(session.parentSessionId ?? ''))
        return [...new Set([...ids, ...forks.map(({ session }) => session.sessionId)])]
      },
    },
  ],
})

function unscoped(only: string) {
  return (next: (...args: unknown[]) => unknown, method: string, args: unknown[]): unknown =>
    next(...(method === only ? args.slice(0, 1) : args))
}
