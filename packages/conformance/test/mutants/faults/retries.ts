import type { TurnRecord } from '@turnstore/core'
import { isRetryOfTurn, type CheckedChange, revisionConflict, sameTransition, sameTurn } from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import type { Faults, RowStore } from '../row-store.ts'

/** Repetitions that are not recognised, or that are seen where there is none. */
export const retries = inMemory('retries', {
  'appends a turn again': [
    'INSERT without a unique index',
    renamed((turn, known) => known.some(other => sameTurn(other, turn))),
  ],
  'takes turns of the same content for one': [
    'deduplicated by a digest of the content',
    skipping((turn, known) =>
      known.some(other => other.turnId !== turn.turnId && sameTurn({ ...other, turnId: '' }, { ...turn, turnId: '' })),
    ),
  ],
  'takes a conflict for a repetition': [
    'ON CONFLICT DO NOTHING',
    skipping((turn, known) => known.some(({ turnId }) => turnId === turn.turnId)),
  ],
  'replaces a turn that comes again': [
    'ON CONFLICT DO UPDATE',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        const known = kept?.turns.map(({ turnId }) => turnId) ?? []
        const replacing = change.appendTurns.filter(({ turnId }) => known.includes(turnId))
        if (kept)
          kept.turns = kept.turns.map(turn =>
            structuredClone(replacing.find(({ turnId }) => turnId === turn.turnId) ?? turn),
          )
        return next(id, change, on)
      },
    },
  ],
  'compares a prompt and nothing else': [
    'what a table has an index for',
    skipping((turn, known) => known.some(({ turnId, prompt }) => turnId === turn.turnId && prompt === turn.prompt)),
  ],
  'compares turns without their tool calls': [
    'tool calls are in a table of their own',
    skipping((turn, known) => known.some(other => sameTurn({ ...other, toolCalls: [] }, { ...turn, toolCalls: [] }))),
  ],
  'compares turns without what it does not know': [
    'extra is left out of a digest',
    skipping((turn, known) =>
      known.some(({ extra: _extra, ...other }) => {
        const { extra: _more, ...rest } = turn
        return sameTurn(other, rest)
      }),
    ),
  ],
  'compares the order of keys': [
    'a digest of JSON.stringify',
    refusing((turn, known) =>
      known.some(
        other => other.turnId === turn.turnId && JSON.stringify(other.metadata) !== JSON.stringify(turn.metadata),
      ),
    ),
  ],
  'compares times': [
    'a digest of the whole turn',
    refusing((turn, known) => known.some(other => other.turnId === turn.turnId && other.startedAt !== turn.startedAt)),
  ],
  'does not know a running turn again': [
    'equality alone',
    refusing((turn, known) =>
      known.some(other => other.turnId === turn.turnId && turn.status === 'running' && !sameTurn(other, turn)),
    ),
  ],
  'takes any running turn for a repetition': [
    'the status alone',
    skipping((turn, known) => turn.status === 'running' && known.some(({ turnId }) => turnId === turn.turnId)),
  ],
  'puts a running turn back to its beginning': [
    'the last that comes is taken',
    {
      async change(next, id, change, on) {
        const result = await next(id, change, on)
        const kept = this.kept(id)
        for (const turn of change.appendTurns) {
          const place = kept?.turns.findIndex(({ turnId }) => turnId === turn.turnId) ?? -1
          if (kept && place !== -1 && turn.status === 'running') kept.turns[place] = structuredClone(turn)
        }
        return result
      },
    },
  ],
  'looks at the last turn alone': [
    'a cheap way to recognise a retry',
    renamed((turn, known) => known.slice(0, -1).some(other => isRetryOfTurn(other, turn))),
  ],
  'does not look inside a batch': [
    'ids are looked up in what is stored',
    {
      async change(next, id, change, on) {
        const seen = new Set<string>()
        const appendTurns = change.appendTurns.map(turn => {
          const again = seen.has(turn.turnId)
          seen.add(turn.turnId)
          return again ? { ...turn, turnId: `${turn.turnId}+` } : turn
        })
        return next(id, { ...change, appendTurns }, on)
      },
    },
  ],
  'takes the last of an id in a batch': [
    'new Map over the batch',
    {
      change: (next, id, change, on) =>
        next(
          id,
          { ...change, appendTurns: [...new Map(change.appendTurns.map(turn => [turn.turnId, turn])).values()] },
          on,
        ),
    },
  ],
  'appends a transition again': [
    'turns are deduplicated, transitions are not',
    {
      change: (next, id, change, on) =>
        next(
          id,
          {
            ...change,
            appendAgentTransitions: change.appendAgentTransitions.map(each => ({ ...each, transitionId: null })),
          },
          on,
        ),
    },
  ],
  'takes a conflict of transitions for a repetition': [
    'ON CONFLICT DO NOTHING',
    {
      change(next, id, change, on) {
        const known = new Set(this.kept(id)?.agentTransitions.map(({ transitionId }) => transitionId ?? ''))
        return next(
          id,
          {
            ...change,
            appendAgentTransitions: change.appendAgentTransitions.filter(
              ({ transitionId }) => !known.has(transitionId ?? '-'),
            ),
          },
          on,
        )
      },
    },
  ],
  'takes transitions without an id for each other': [
    'NULL is equal to NULL',
    {
      change(next, id, change, on) {
        const known = this.kept(id)?.agentTransitions ?? []
        const appendAgentTransitions = change.appendAgentTransitions.filter(
          each =>
            each.transitionId !== null ||
            !known.some(other => other.transitionId === null && sameTransition(other, each)),
        )
        return next(id, { ...change, appendAgentTransitions }, on)
      },
    },
  ],
  'takes two transitions without an id in one batch for one': [
    'a map by id over the batch',
    {
      change: (next, id, change, on) =>
        next(
          id,
          {
            ...change,
            appendAgentTransitions: [
              ...new Map(change.appendAgentTransitions.map(each => [each.transitionId, each])).values(),
            ],
          },
          on,
        ),
    },
  ],
  'says nothing of what was there': [
    'the result has no room for it',
    { change: async (next, ...args) => ({ ...(await next(...args)), deduplicated: [] }) },
  ],
  'tells transitions among the turns that were there': [
    'one list for both',
    {
      async change(next, id, change, on) {
        const known = new Set(this.kept(id)?.agentTransitions.map(({ transitionId }) => transitionId))
        const result = await next(id, change, on)
        const more = change.appendAgentTransitions.flatMap(({ transitionId }) =>
          transitionId !== null && known.has(transitionId) ? [transitionId] : [],
        )
        return { ...result, deduplicated: [...result.deduplicated, ...more] }
      },
    },
  ],
  'looks at the revision before the repetition': [
    'the condition is the first thing',
    {
      async change(next, id, change, on) {
        const revision = this.kept(id)?.revision
        if (revision !== undefined && on.ifRevision !== undefined && on.ifRevision !== revision)
          throw revisionConflict(id, on.ifRevision, revision)
        return next(id, change, on)
      },
    },
  ],
  'takes any change whose turns are there for its repetition': [
    'the ids of the turns alone are looked at',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        const ids = change.appendTurns.map(({ turnId }) => turnId)
        const there = ids.length > 0 && ids.every(each => kept?.turns.some(({ turnId }) => turnId === each))
        return kept && there && on.ifRevision !== undefined && on.ifRevision !== kept.revision
          ? { revision: kept.revision, turnCount: kept.turns.length, deduplicated: ids }
          : next(id, change, on)
      },
    },
  ],
  'ignores a condition from the future': [
    'ifRevision < revision',
    {
      change(next, id, change, on) {
        const revision = this.kept(id)?.revision ?? 0
        return next(
          id,
          change,
          on.ifRevision !== undefined && on.ifRevision > revision ? { ...on, ifRevision: undefined } : on,
        )
      },
    },
  ],
  'ignores a condition on what alters nothing': [
    'a way out before the condition',
    {
      async change(next, id, change, on) {
        const kept = this.kept(id)
        const nothing =
          change.appendTurns.length + change.updateTurns.length + change.appendAgentTransitions.length === 0 &&
          change.keepTurns === undefined &&
          change.agentId === undefined &&
          Object.keys(change.setMetadata).length === 0
        return kept && nothing && change.unsetMetadata.length === 0
          ? { revision: kept.revision, turnCount: kept.turns.length, deduplicated: [] }
          : next(id, change, on)
      },
    },
  ],
  'says the wrong revision in a conflict': [
    'the one that was asked for',
    {
      change: (next, id, change, on) =>
        next(id, change, on).catch(error => {
          throw isConflict(error) ? revisionConflict(id, on.ifRevision ?? 0, on.ifRevision ?? 0) : error
        }),
    },
  ],
  'takes an append of nothing for its repetition': [
    'every() of an empty list',
    {
      around(next, method, args) {
        const result = next(...args)
        const change: unknown = args[1]
        if (method !== 'changeSession' || !(result instanceof Promise) || typeof change !== 'object' || change === null)
          return result
        const isEmpty = JSON.stringify({ ...change, updatedAt: 0 }) === '{"updatedAt":0,"appendTurns":[]}'
        return result.catch((error: unknown) => {
          const kept = this.kept(String(args[0]))
          if (!isEmpty || !isConflict(error) || kept === undefined) throw error
          return { revision: kept.revision, turnCount: kept.turns.length, deduplicated: [] }
        })
      },
    },
  ],
  'takes an append with an empty member beside it for more than an append': [
    'a look at which members are there and not at what they hold',
    {
      around(next, method, args) {
        const [id, change, options]: unknown[] = args
        const hasMore = typeof change === 'object' && change !== null && 'setMetadata' in change
        const revision = this.kept(String(id))?.revision
        const asked: unknown = typeof options === 'object' && options !== null && Reflect.get(options, 'ifRevision')
        const isLate = revision !== undefined && typeof asked === 'number' && asked > 0 && asked !== revision
        return method === 'changeSession' && hasMore && isLate
          ? Promise.reject(revisionConflict(String(id), asked, revision))
          : next(...args)
      },
    },
  ],
  'does not know a running turn again in a conditional retry': [
    'equality alone where there is a condition',
    conditionally((turn, stored) => sameTurn(stored, turn)),
  ],
  'compares times in a conditional retry': [
    'a digest of the whole turn where there is a condition',
    conditionally((turn, stored) => stored.startedAt === turn.startedAt && stored.endedAt === turn.endedAt),
  ],
  'takes a conditional append for its repetition after a rewind': [
    'a table of what was done, which a rewind does not cut',
    () => {
      const done = new Set<string>()
      return {
        async change(next, id, change, on) {
          const kept = this.kept(id)
          const keys = change.appendTurns.map(({ turnId }) => `${id} ${turnId}`)
          const isDone = keys.length > 0 && keys.every(key => done.has(key))
          if (kept && on.ifRevision !== undefined && on.ifRevision < kept.revision && isDone) {
            const deduplicated = change.appendTurns.map(({ turnId }) => turnId)
            return { revision: kept.revision, turnCount: kept.turns.length, deduplicated }
          }
          const result = await next(id, change, on)
          if (on.ifRevision !== undefined) for (const key of keys) done.add(key)
          return result
        },
      }
    },
  ],
  'looks at the last turn of a conditional retry alone': [
    'where the last is there, the others must be',
    {
      change(next, id, change, on) {
        const last = change.appendTurns.at(-1)
        const stored = this.kept(id)?.turns.findLast(({ turnId }) => turnId === last?.turnId)
        const isLate = on.ifRevision !== undefined && on.ifRevision !== this.kept(id)?.revision
        if (!isLate || !last || !stored || !isRetryOfTurn(stored, last)) return next(id, change, on)
        return next(id, { ...change, appendTurns: [last] }, on).then(result => ({
          ...result,
          deduplicated: change.appendTurns.map(({ turnId }) => turnId),
        }))
      },
    },
  ],
  'takes a running turn with a tool call that is not there for its beginning': [
    'agent, prompt and status are compared, the calls are not',
    skipping((turn, known) =>
      known.some(
        ({ turnId, agentId, prompt }) =>
          turnId === turn.turnId && agentId === turn.agentId && prompt === turn.prompt && turn.status === 'running',
      ),
    ),
  ],
  'knows a conditional retry again only behind its own revision': [
    'a condition from the future is checked first',
    {
      async change(next, id, change, on) {
        const revision = this.kept(id)?.revision
        if (revision !== undefined && on.ifRevision !== undefined && on.ifRevision > revision)
          throw revisionConflict(id, on.ifRevision, revision)
        return next(id, change, on)
      },
    },
  ],
  'counts turns that came again': [
    'a count that the batch is added to',
    {
      change: async (next, ...args) => {
        const result = await next(...args)
        return { ...result, turnCount: result.turnCount + result.deduplicated.length }
      },
    },
  ],
  'compares revisions in 32 bits': [
    'a column of type INTEGER, and a parameter that wraps',
    {
      change: (next, id, change, on) =>
        next(id, change, { ...on, ifRevision: on.ifRevision === undefined ? undefined : on.ifRevision | 0 }),
      replace: (next, session, on) =>
        next(session, { ...on, ifRevision: on.ifRevision === undefined ? undefined : on.ifRevision | 0 }),
    },
  ],
  'forgets a turn that came as running': [
    'running turns are kept in a table of their own, which no retry looks at',
    renamed((turn, known) => known.some(other => other.turnId === turn.turnId && other.status === 'running')),
  ],
  'takes a turn that ended for a running one that has grown': [
    'the status that is stored is looked at, and not the one that comes',
    skipping((turn, known) =>
      known.some(
        ({ turnId, agentId, prompt, status }) =>
          turnId === turn.turnId && agentId === turn.agentId && prompt === turn.prompt && status === 'running',
      ),
    ),
  ],
  'counts turns that came again in what it lists': [
    'a counter beside the turns, to which each batch is added',
    () => {
      const again = new Map<string, number>()
      return {
        async change(next, id, change, on) {
          const result = await next(id, change, on)
          const before = change.keepTurns === undefined ? (again.get(id) ?? 0) : 0
          again.set(id, before + result.deduplicated.length)
          return result
        },
        replace: (next, session, on) => next(session, on).finally(() => again.delete(session.sessionId)),
        remove: (next, id, scope) => next(id, scope).finally(() => again.delete(id)),
        async query(next, query) {
          const page = await next(query)
          const counted = ({ sessionId, turnCount }: { sessionId: string; turnCount: number }) =>
            turnCount + (again.get(sessionId) ?? 0)
          return { ...page, sessions: page.sessions.map(each => ({ ...each, turnCount: counted(each) })) }
        },
      }
    },
  ],
})

type Known = (turn: TurnRecord, known: readonly TurnRecord[]) => boolean

/** Leaves out turns, and says that they were there. */
function skipping(isKnown: Known): Faults {
  return {
    async change(next, id, change, on) {
      const known = turnsOf(this, id, change)
      const skipped = change.appendTurns.filter(turn => isKnown(turn, known))
      const result = await next(
        id,
        { ...change, appendTurns: change.appendTurns.filter(turn => !skipped.includes(turn)) },
        on,
      )
      return { ...result, deduplicated: [...result.deduplicated, ...skipped.map(({ turnId }) => turnId)] }
    },
  }
}

/** Takes a turn for another that has the id, so that it is there twice. */
function renamed(isKnown: Known): Faults {
  return {
    change(next, id, change, on) {
      const known = turnsOf(this, id, change)
      return next(
        id,
        {
          ...change,
          appendTurns: change.appendTurns.map(turn =>
            isKnown(turn, known) ? { ...turn, turnId: `${turn.turnId} ` } : turn,
          ),
        },
        on,
      )
    },
  }
}

/** Takes a repetition for a conflict. */
function refusing(isConflict: Known): Faults {
  return {
    change(next, id, change, on) {
      const known = turnsOf(this, id, change)
      return next(
        id,
        {
          ...change,
          appendTurns: change.appendTurns.map(turn =>
            isConflict(turn, known) ? { ...turn, prompt: `${turn.prompt} ` } : turn,
          ),
        },
        on,
      )
    },
  }
}

function turnsOf(store: RowStore, id: string, { keepTurns }: CheckedChange): readonly TurnRecord[] {
  return store.kept(id)?.turns.slice(0, keepTurns) ?? []
}

function isConflict(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'REVISION_CONFLICT'
}

/** Takes a conditional append for its repetition only where each turn is like the stored one in this way too. */
function conditionally(isLike: (turn: TurnRecord, stored: TurnRecord) => boolean): Faults {
  return {
    async change(next, id, change, on) {
      const kept = this.kept(id)
      const isLate = kept !== undefined && on.ifRevision !== undefined && on.ifRevision !== kept.revision
      const isRetry = change.appendTurns.every(turn => {
        const stored = kept?.turns.findLast(({ turnId }) => turnId === turn.turnId)
        return stored === undefined || isLike(turn, stored)
      })
      if (isLate && !isRetry) throw revisionConflict(id, on.ifRevision ?? 0, kept.revision)
      return next(id, change, on)
    },
  }
}
