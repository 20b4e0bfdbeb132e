import { inMemory } from '../mutant.ts'

/** What shows itself only by size, over a manager, or in a long random history. */
export const size = inMemory('size', {
  'declares appends that cost the same, and rewrites the session': [
    'a capability that was copied',
    { capabilities: { constantAppend: true } },
  ],
  'lists 100 sessions': ['one page of a scan', { list: async (next, scope) => (await next(scope)).slice(0, 100) }],
  'lists one batch of a scan': [
    'a cursor of the backend that is not followed to its end',
    {
      query: async (next, query) => {
        const page = await next({ ...query, limit: Math.min(query.limit, 100) })
        return { ...page, cursor: null }
      },
    },
  ],
  'keeps 1,000 turns': [
    'a list that is trimmed',
    { write: record => ({ ...structuredClone(record), turns: record.turns.slice(-1000) }) },
  ],
  'keeps prompts of 1 MiB': [
    'a limit of a driver, cut and not refused',
    {
      write: record => ({
        ...structuredClone(record),
        turns: record.turns.map(turn => ({ ...turn, prompt: turn.prompt.slice(0, 1024 * 1024) })),
      }),
    },
  ],
  'keeps the turns of a large change up to 4 MB': [
    'a batch that is cut at a limit of the backend',
    {
      change(next, id, change, on) {
        let bytes = 0
        return next(
          id,
          {
            ...change,
            appendTurns: change.appendTurns.filter(turn => (bytes += turn.responseContent?.length ?? 0) < 4e6),
          },
          on,
        )
      },
    },
  ],
  'looks for a turnId among the last 1,000': [
    'a window for what was seen',
    {
      async change(next, id, change, on) {
        const old = new Set(
          this.kept(id)
            ?.turns.slice(0, -1000)
            .map(({ turnId }) => turnId),
        )
        return next(
          id,
          {
            ...change,
            appendTurns: change.appendTurns.map(turn =>
              old.has(turn.turnId) ? { ...turn, turnId: `${turn.turnId}'` } : turn,
            ),
          },
          on,
        )
      },
    },
  ],
  'takes 1,000 turns of a batch': [
    'a limit of the backend on one request',
    {
      change: (next, id, change, on) => next(id, { ...change, appendTurns: change.appendTurns.slice(0, 1000) }, on),
    },
  ],
})

export const manager = inMemory('manager', {
  'cannot start a session anew': [
    'a save that does not replace',
    {
      replace: async function (next, session, on) {
        const kept = this.kept(session.sessionId)
        return kept && on.ifRevision !== 0 ? kept.revision : next(session, on)
      },
    },
  ],
  'starts a session over another': [
    'INSERT OR REPLACE',
    { replace: (next, session, on) => next(session, { ...on, ifRevision: undefined }) },
  ],
  'leaves ended where a session is resumed': [
    'unset is not there',
    { change: (next, id, change, on) => next(id, { ...change, unsetMetadata: [] }, on) },
  ],
  'forgets the parent of a fork': [
    'a member that came later',
    { write: record => ({ ...structuredClone(record), parentSessionId: null }) },
  ],
  'says of a session that is not there what it likes': [
    'a message of its own',
    {
      change: (next, ...args) =>
        next(...args).catch((error: unknown) => {
          if (error instanceof Error) error.message = 'no such row'
          throw error
        }),
    },
  ],
})

export const model = inMemory('model', {
  'keeps the metadata that a save takes away': [
    'UPDATE of what is not empty',
    {
      replace(next, session, on) {
        const before = this.kept(session.sessionId)?.metadata ?? {}
        const isEmpty = Object.keys(session.metadata).length === 0
        return next(isEmpty ? { ...session, metadata: structuredClone(before) } : session, on)
      },
    },
  ],
  'keeps the agent in charge where a save takes it away': [
    'COALESCE',
    {
      replace(next, session, on) {
        return next({ ...session, agentId: session.agentId ?? this.kept(session.sessionId)?.agentId ?? null }, on)
      },
    },
  ],
})
