import type { SessionRecord } from '@turnstore/core'
import type { NormalChange } from '@turnstore/core/adapter'
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
        for (const call of putToolCalls) {
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
        if (turn && putToolCalls.length > 0) turn.toolCalls = [...putToolCalls]
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
        const known = new Set(this.kept(id)?.turns.map(({ turnId }) => turnId))
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
})

function altered(alter: (change: NormalChange) => Partial<NormalChange>) {
  return {
    change: (next: Next, id: string, change: NormalChange, on: On) => next(id, { ...change, ...alter(change) }, on),
  }
}

type Change = NonNullable<Faults['change']>
type Next = Parameters<Change>[0]
type On = Parameters<Change>[3]

/** Tampers with the kept record behind a change that succeeded. */
function after(tamper: (record: SessionRecord, change: NormalChange, changed: boolean) => void) {
  return {
    async change(this: RowStore, next: Next, id: string, change: NormalChange, on: On) {
      const before = this.kept(id)?.revision
      const result = await next(id, change, on)
      const kept = this.kept(id)
      if (kept) tamper(kept, change, kept.revision !== before)
      return kept ? { ...result, revision: kept.revision } : result
    },
  }
}

function merge(before: unknown, value: NormalChange['setMetadata'][string]): NormalChange['setMetadata'][string] {
  if (typeof before !== 'object' || before === null || typeof value !== 'object' || value === null) return value
  if (Array.isArray(before) || Array.isArray(value)) return value
  return { ...before, ...value }
}
