import type { SessionRecord, ToolCallRecord, TurnItem, TurnRecord } from '@turnstore/core'
import { isTurnstoreError, TurnstoreError } from '@turnstore/core'
import {
  type CheckedChange,
  type CheckedTurnUpdate,
  isRetryOfTurn,
  partBytes,
  turnBytes,
  viewOf,
} from '@turnstore/core/adapter'
import { inMemory } from '../mutant.ts'
import { type Faults, latency } from '../row-store.ts'

/** Tool calls and items that are lost, doubled, moved or mixed up, and reads of them that are wrong. */
export const parts = inMemory('parts', {
  'puts a replaced tool call last': [
    'DELETE and INSERT for an upsert',
    updating((update, turn) => ({
      removeToolCalls: [
        ...update.removeToolCalls,
        ...update.putToolCalls
          .filter(({ call }) => turn?.toolCalls.some(({ callId }) => callId === call.callId))
          .map(({ call }) => call.callId),
      ],
      putToolCalls: update.putToolCalls.map(({ call }) => ({ call, replace: true })),
    })),
  ],
  'puts a replaced item last': [
    'a sorted set whose score is the time',
    updating((update, turn) => ({
      removeItems: [
        ...update.removeItems,
        ...update.putItems.map(({ itemId }) => itemId).filter(id => turn?.items.some(({ itemId }) => itemId === id)),
      ],
    })),
  ],
  'puts a new item first': [
    'LPUSH',
    afterwards((turn, before) => {
      const known = new Set(before.items.map(({ itemId }) => itemId))
      turn.items = [
        ...turn.items.filter(({ itemId }) => !known.has(itemId)),
        ...turn.items.filter(({ itemId }) => known.has(itemId)),
      ]
    }),
  ],
  'orders parts by their ids': [
    'ORDER BY call_id',
    { read: changed(turn => (turn.toolCalls = turn.toolCalls.toSorted((a, b) => (a.callId < b.callId ? -1 : 1)))) },
  ],
  'removes one of two parts with an id': [
    'LIMIT 1',
    afterwards((turn, before, update) => {
      for (const id of update.removeToolCalls) {
        const [first, ...others] = before.toolCalls.filter(({ callId }) => callId === id)
        if (first !== undefined && others.length > 0) turn.toolCalls.unshift(first)
      }
    }),
  ],
  'replaces the first of two calls with an id': [
    'find in place of findLast',
    afterwards((turn, before, update) => {
      for (const { call } of update.putToolCalls) {
        const first = before.toolCalls.findIndex(({ callId }) => callId === call.callId)
        const last = before.toolCalls.findLastIndex(({ callId }) => callId === call.callId)
        const old = before.toolCalls[last]
        if (first === last || old === undefined) continue
        turn.toolCalls[first] = structuredClone(call)
        turn.toolCalls[last] = old
      }
    }),
  ],
  'keeps one part of those with the same id': [
    'a primary key of turn and part',
    {
      write: changed(turn => {
        turn.items = [...new Map(turn.items.map(item => [item.itemId, item])).values()]
        turn.toolCalls = [...new Map(turn.toolCalls.map(call => [call.callId, call])).values()]
      }),
    },
  ],
  'removes after it puts': [
    'the order of the members of an update',
    updating(update => ({
      putItems: update.putItems.filter(({ itemId }) => !update.removeItems.includes(itemId)),
      putToolCalls: update.putToolCalls.filter(({ call }) => !update.removeToolCalls.includes(call.callId)),
    })),
  ],
  'merges the updates of a turn': [
    'a map by turn over the updates, whose lists are joined',
    {
      change(next, id, change, on) {
        const merged = new Map<string, CheckedTurnUpdate>()
        for (const update of change.updateTurns) {
          const known = merged.get(update.turnId)
          merged.set(update.turnId, {
            ...update,
            ...(known && {
              set: { ...known.set, ...update.set },
              removeItems: [...known.removeItems, ...update.removeItems],
              putItems: [...known.putItems, ...update.putItems],
              putToolCalls: [...known.putToolCalls, ...update.putToolCalls],
            }),
          })
        }
        return next(id, { ...change, updateTurns: [...merged.values()] }, on)
      },
    },
  ],
  'drops the items of a saved session': [
    'a list that came later',
    { replace: (next, session, on) => next(changed(turn => (turn.items = []))(session), on) },
  ],
  'drops the items of an appended turn': [
    'an INSERT that does not name them',
    {
      change: (next, id, change, on) =>
        next(id, { ...change, appendTurns: change.appendTurns.map(turn => ({ ...turn, items: [] })) }, on),
    },
  ],
  'drops unknown keys of an item': [
    'columns for what is known',
    { write: changed(turn => (turn.items = turn.items.map(({ extra: _extra, ...item }) => item))) },
  ],
  'takes an item without a value for none': [
    'value ?? skip',
    { write: changed(turn => (turn.items = turn.items.filter(({ value }) => value !== null))) },
  ],
  'gives every item one format': [
    'a column that is not read',
    { read: changed(turn => (turn.items = turn.items.map(item => ({ ...item, format: 'chat' })))) },
  ],
  'takes what another program has under `items` for its own': [
    'the key is ours',
    {
      write: changed(turn => {
        const { items: _items, ...extra } = turn.extra ?? {}
        if (turn.extra !== undefined) turn.extra = extra
      }),
    },
  ],
  'lets a finished call be replaced by another': ['last writer wins', replacing(() => true)],
  'never lets a finished call be replaced by another': ['a flag that is not read', replacing(() => false)],
  'compares the name of a finished call alone': [
    'an index on the name',
    replacing((call, old, replace) => replace || old?.toolName === call.toolName),
  ],
  'compares the arguments of a finished call alone': [
    'a digest of the arguments',
    replacing((call, old, replace) => replace || JSON.stringify(old?.arguments) === JSON.stringify(call.arguments)),
  ],
  'takes a finished call for one that succeeded': [
    "status = 'success'",
    replacing((_call, old, replace) => replace || old?.status !== 'success'),
  ],
  'does not see a conflict within a change': [
    'calls are compared with what is stored',
    replacing((_call, old, replace) => replace || old === undefined),
  ],
  'takes a running call for a finished one': [
    'the status is not asked for',
    {
      change(next, id, change, on) {
        for (const { turnId, putToolCalls } of change.updateTurns) {
          for (const { call } of putToolCalls) {
            const old = turnIn(this.kept(id), turnId)?.toolCalls.findLast(({ callId }) => callId === call.callId)
            if (old?.status === 'running' && old.toolName !== call.toolName)
              throw new TurnstoreError('CALL_ID_CONFLICT', 'another call', { sessionId: id, outcome: 'not-stored' })
          }
        }
        return next(id, change, on)
      },
    },
  ],
  'applies the other updates of a change with a conflict': [
    'no transaction around them',
    {
      change(next, id, change, on) {
        return next(id, change, on).catch((error: unknown) => {
          const turn = turnIn(this.kept(id), change.updateTurns[0]?.turnId ?? '')
          if (turn && isTurnstoreError(error, 'CALL_ID_CONFLICT')) Object.assign(turn, change.updateTurns[0]?.set)
          throw error
        })
      },
    },
  ],
  'raises the revision for a part that is as it was': [
    'a part that is put counts',
    raising((update, turn) => update.putItems.some(({ itemId }) => turn.items.some(item => item.itemId === itemId))),
  ],
  'raises the revision for a part with its keys in another order': [
    'parts are compared as text',
    raising((update, turn) =>
      update.putItems.some(put => {
        const old = turn.items.findLast(({ itemId }) => itemId === put.itemId)
        return old !== undefined && JSON.stringify(old) !== JSON.stringify(put)
      }),
    ),
  ],
  'raises the revision for a part that is removed and put back': [
    'a removal counts',
    raising((update, turn) => turn.items.some(({ itemId }) => update.removeItems.includes(itemId))),
  ],
  'raises the revision for the removal of a part that is not there': [
    'a removal counts, of what or not',
    raising(({ removeItems }) => removeItems.length > 0),
  ],
  'keeps the revision where parts change places': [
    'parts are compared as a set',
    {
      async change(next, id, change, on) {
        const before = structuredClone(this.kept(id))
        const result = await next(id, change, on)
        const kept = this.kept(id)
        const sorted = (record: SessionRecord | undefined): string =>
          JSON.stringify(record?.turns.map(turn => turn.items.map(item => JSON.stringify(item)).toSorted()))
        const isOrder =
          before && kept && JSON.stringify(before.turns[0]?.items) !== JSON.stringify(kept.turns[0]?.items)
        if (isOrder && sorted(before) === sorted(kept)) result.revision = --kept.revision
        return result
      },
    },
  ],
  'keeps the revision where unknown keys of a part change': [
    'a digest of what is known',
    {
      async change(next, id, change, on) {
        const bare = (turn: TurnRecord | undefined): string =>
          JSON.stringify([turn, turn?.toolCalls], (key, value: unknown) => (key === 'extra' ? undefined : value))
        const before = structuredClone(this.kept(id)?.turns[0])
        const result = await next(id, change, on)
        const kept = this.kept(id)
        if (kept && change.updateTurns.length > 0 && bare(before) === bare(kept.turns[0]))
          result.revision = kept.revision = Math.min(kept.revision, 1)
        return result
      },
    },
  ],
  'applies the parts of an update that it skips': [
    'the condition is on the row of the turn',
    {
      async change(next, id, change, on) {
        const skipped = change.updateTurns.filter(
          ({ turnId, ifStatus }) => ifStatus !== undefined && turnIn(this.kept(id), turnId)?.status !== ifStatus,
        )
        const result = await next(id, change, on)
        for (const { turnId, putItems } of skipped) {
          const turn = turnIn(this.kept(id), turnId)
          if (turn) turn.items = turn.items.concat(structuredClone([...putItems]))
        }
        return result
      },
    },
  ],
  'asks for the status before the change': [
    'statuses are read first, for all updates',
    {
      change(next, id, change, on) {
        const isMet = ({ turnId, ifStatus }: CheckedTurnUpdate) =>
          ifStatus === undefined || turnIn(this.kept(id), turnId)?.status === ifStatus
        const updateTurns = change.updateTurns.map(update =>
          isMet(update) ? { ...update, ifStatus: undefined } : { ...update, ifStatus: '\0' },
        )
        return next(id, { ...change, updateTurns }, on)
      },
    },
  ],
  'says nothing of an update that it skips': [
    'zero rows, no error',
    {
      async change(next, ...args) {
        const { skipped: _skipped, ...result } = await next(...args)
        return result
      },
    },
  ],
  'sets metadata of a turn as a whole': [
    'one column',
    afterwards((turn, _before, { setMetadata }) => {
      if (Object.keys(setMetadata).length > 0) turn.metadata = { ...setMetadata }
    }),
  ],
  'unsets metadata of a turn before it sets it': [
    'the order of the members of an update',
    afterwards((turn, _before, { setMetadata }) => Object.assign(turn.metadata, setMetadata)),
  ],
  'sets metadata of a turn before the rest': [
    'set.metadata replaces what setMetadata has set',
    updating(({ set }) => (set.metadata === undefined ? {} : { setMetadata: {}, unsetMetadata: [] })),
  ],
  'updates the first of two turns with an id': [
    'SELECT without an order',
    {
      async change(next, id, change, on) {
        const before = structuredClone(this.kept(id)?.turns)
        const result = await next(id, change, on)
        const turns = this.kept(id)?.turns
        for (const { turnId } of change.updateTurns) {
          const [first = -1, ...others] = before?.flatMap((turn, at) => (turn.turnId === turnId ? [at] : [])) ?? []
          const last = others.at(-1)
          const [updated, old] = [turns?.[last ?? -1], before?.[last ?? -1]]
          if (turns === undefined || last === undefined || updated === undefined || old === undefined) continue
          turns[first] = updated
          turns[last] = old
        }
        return result
      },
    },
  ],
  'keeps parts by the id of their turn': [
    'parts have a foreign key that a rewind leaves',
    () => {
      const left = new Map<string, TurnItem[]>()
      return {
        async change(next, id, change, on) {
          if (change.keepTurns !== undefined)
            for (const { turnId, items } of this.kept(id)?.turns.slice(change.keepTurns) ?? []) left.set(turnId, items)
          const result = await next(id, change, on)
          const turn = this.kept(id)?.turns.at(-1)
          if (turn && change.appendTurns.length > 0 && turn.items.length === 0)
            turn.items = structuredClone(left.get(turn.turnId) ?? [])
          return result
        },
      }
    },
  ],
  'keeps parts of a session that is saved over': [
    'parts are in another table',
    {
      async replace(next, session, on) {
        const old = new Map(this.kept(session.sessionId)?.turns.map(turn => [turn.turnId, turn.items]))
        const result = await next(session, on)
        for (const turn of this.kept(session.sessionId)?.turns ?? []) {
          if (turn.items.length === 0) turn.items = structuredClone(old.get(turn.turnId) ?? [])
        }
        return result
      },
    },
  ],
  'knows a call again that went with its turn': [
    'an index of calls that a rewind does not clear',
    () => {
      const known = new Map<string, string>()
      return {
        change(next, id, change, on) {
          for (const { call, replace } of change.updateTurns.flatMap(({ putToolCalls }) => putToolCalls)) {
            const name = known.get(`${id} ${call.callId}`)
            if (!replace && call.status !== 'running' && name !== undefined && name !== call.toolName)
              throw new TurnstoreError('CALL_ID_CONFLICT', 'another call', { sessionId: id, outcome: 'not-stored' })
          }
          return next(id, change, on)
        },
        replace(next, session, on) {
          for (const { callId, toolName } of session.turns.flatMap(({ toolCalls }) => toolCalls))
            known.set(`${session.sessionId} ${callId}`, toolName)
          return next(session, on)
        },
      }
    },
  ],
  'gives an appended part another id on each retry': [
    'randomUUID() for each part without an id',
    {
      change(next, id, change, on) {
        const appendTurns = change.appendTurns.map(turn => ({
          ...turn,
          items: turn.items.map(item =>
            item.itemId.includes(':item:') ? { ...item, itemId: `${item.itemId}:${Math.random()}` } : item,
          ),
        }))
        return next(id, { ...change, appendTurns }, on)
      },
    },
  ],
  'gives all parts without an id the same': [
    'the empty text is an id',
    {
      change: (next, id, change, on) =>
        next(
          id,
          {
            ...change,
            updateTurns: change.updateTurns.map(update => ({
              ...update,
              putItems: update.putItems.map(item =>
                /^[0-9a-f-]{32,}$/.test(item.itemId) ? { ...item, itemId: '-' } : item,
              ),
            })),
          },
          on,
        ),
    },
  ],
  'does not compare the items of a turn that comes again': [
    'a digest that is older than they are',
    knowing((stored, turn) => isRetryOfTurn({ ...stored, items: [] }, { ...turn, items: [] })),
  ],
  'compares the parts of a turn that comes again as a set': [
    'rows without an order',
    knowing((stored, turn) => {
      const sorted = ({ items, ...rest }: TurnRecord): TurnRecord => ({
        ...rest,
        items: items.toSorted((a, b) => (a.itemId < b.itemId ? -1 : 1)),
      })
      return isRetryOfTurn(sorted(stored), sorted(turn))
    }),
  ],
  'counts the parts of a turn that comes again': [
    'a count is cheap',
    knowing(
      (stored, turn) =>
        stored.items.length === turn.items.length && isRetryOfTurn({ ...stored, items: [] }, { ...turn, items: [] }),
    ),
  ],
  'does not know a running turn again by other parts': [
    'its lists are compared',
    {
      change(next, id, change, on) {
        const appendTurns = change.appendTurns.map(turn => {
          const stored = turnIn(this.kept(id), turn.turnId)
          const isOther = stored && JSON.stringify(stored.toolCalls) !== JSON.stringify(turn.toolCalls)
          return isOther && turn.status === 'running' ? { ...turn, prompt: `${turn.prompt} ` } : turn
        })
        return next(id, { ...change, appendTurns }, on)
      },
    },
  ],
  'takes no turn that is larger than a part': [
    'one limit for both',
    {
      change(next, id, change, on) {
        for (const { turnId, putItems } of change.updateTurns) {
          const turn = turnIn(this.kept(id), turnId)
          const more = putItems.reduce((sum, item) => sum + partBytes(item), 0)
          if (turn && turnBytes(turn) + more > 16 * 1024 * 1024)
            throw new TurnstoreError('INVALID_RECORD', 'too large', { outcome: 'not-stored' })
        }
        return next(id, change, on)
      },
    },
  ],
  'cuts a turn at the size of a part': [
    'a value of the backend that is at most so long',
    {
      write: changed(turn => {
        let bytes = turn.toolCalls.reduce((sum, call) => sum + partBytes(call), 0)
        turn.items = turn.items.filter(item => (bytes += partBytes(item)) < 16.5e6)
      }),
    },
  ],
  'counts no part in heads': [
    'counts are taken when a turn is appended',
    { readHeads: heads(() => ({ toolCalls: 0, items: 0 })) },
  ],
  'counts removed parts in heads': [
    'the next place is the count',
    () => {
      const removed = new Map<string, number>()
      return {
        change(next, id, change, on) {
          for (const { turnId, removeToolCalls } of change.updateTurns)
            removed.set(turnId, (removed.get(turnId) ?? 0) + removeToolCalls.length)
          return next(id, change, on)
        },
        readHeads: heads(({ toolCalls, items }, turnId) => ({
          toolCalls: toolCalls + (removed.get(turnId) ?? 0),
          items,
        })),
      }
    },
  ],
  'counts items as tool calls in heads': [
    'one table of parts',
    { readHeads: heads(({ toolCalls, items }) => ({ toolCalls: toolCalls + items, items })) },
  ],
  'gives heads as of one revision before': [
    'a cache of heads',
    () => {
      const cached = new Map<string, Awaited<ReturnType<NonNullable<Faults['loadSummary']>>>>()
      return {
        async readHeads(next, id, range, scope) {
          const page = await next(id, range, scope)
          const summary = cached.get(id) ?? (await this.loadSummary(id))
          cached.set(id, await this.loadSummary(id))
          return page && { ...page, revision: Math.min(page.revision, summary?.revision ?? page.revision) }
        },
      }
    },
  ],
  'gives all parts where a range is asked for': [
    'the range is left to the caller',
    {
      readParts: (_store, next, id, turnId, { list }, scope) =>
        next(id, turnId, { list, kind: 'from', from: 0, limit: Number.MAX_SAFE_INTEGER }, scope),
    },
  ],
  'gives the first parts for the last': [
    'an index that is not turned round',
    {
      readParts: (_store, next, id, turnId, range, scope) =>
        next(
          id,
          turnId,
          range.kind === 'last' ? { list: range.list, kind: 'from', from: 0, limit: range.last } : range,
          scope,
        ),
    },
  ],
  'gives one part more than the limit': [
    'BETWEEN',
    {
      readParts: (_store, next, id, turnId, range, scope) =>
        next(id, turnId, range.kind === 'from' ? { ...range, limit: range.limit + 1 } : range, scope),
    },
  ],
  'gives the place where a part was put as its index': [
    'a serial that a removal leaves a gap in',
    {
      async readParts(_store, next, id, turnId, range, scope) {
        const page = await next(id, turnId, range, scope)
        const isGap = page !== null && page.firstIndex > 3 && page.count === 39
        return isGap ? { ...page, firstIndex: page.firstIndex + 1 } : page
      },
    },
  ],
  'counts the parts of a page': [
    'rows.length',
    {
      async readParts(_store, next, ...args) {
        const page = await next(...args)
        return page && { ...page, count: page.parts.length }
      },
    },
  ],
  'gives the parts of the first of two turns with an id': [
    'SELECT without an order',
    {
      async readParts(store, next, id, turnId, range, scope) {
        const turn = store.kept(id)?.turns.find(each => each.turnId === turnId)
        const page = await next(id, turnId, range, scope)
        return page && turn && turn.toolCalls.length === 3 && page.count > 3 ? { ...page, count: 3 } : page
      },
    },
  ],
  'gives an empty page for a turn that is not there': [
    'rows that are none',
    {
      async readParts(store, next, id, turnId, range, scope) {
        const page = await next(id, turnId, range, scope)
        if (page !== null || (await store.loadSummary(id)) === null) return page
        return { parts: [], firstIndex: 0, count: 0, revision: 1 }
      },
    },
  ],
  'shows a step in halves': [
    'two writes, each with its revision',
    {
      async change(next, id, change, on) {
        const put = change.updateTurns.flatMap(({ putItems }) => putItems)
        const [update] = change.updateTurns
        if (put.length === 0 || update?.turnId !== 't' || this.kept(id)?.turns.length !== 1) return next(id, change, on)
        const late = change.updateTurns.map(each => ({ ...each, putItems: [] }))
        const result = await next(id, { ...change, updateTurns: late }, on)
        await latency()
        await latency()
        const turn = turnIn(this.kept(id), update.turnId)
        for (const item of structuredClone(put)) {
          const place = turn?.items.findLastIndex(({ itemId }) => itemId === item.itemId) ?? -1
          turn?.items.splice(place === -1 ? turn.items.length : place, place === -1 ? 0 : 1, item)
        }
        return result
      },
    },
  ],
  'reads parts and revision one after the other': [
    'two SELECTs without a snapshot',
    {
      async readParts(store, next, id, turnId, range, scope) {
        const page = await next(id, turnId, range, scope)
        await latency()
        return page && { ...page, revision: store.kept(id)?.revision ?? page.revision }
      },
    },
  ],
  'loses one of two steps at once': [
    'the parts are read before the lock is taken',
    {
      async change(next, id, change, on) {
        const [update] = change.updateTurns
        const items = structuredClone(turnIn(this.kept(id), update?.turnId ?? '')?.items ?? [])
        await latency()
        const result = await next(id, change, on)
        const turn = turnIn(this.kept(id), update?.turnId ?? '')
        if (turn && update !== undefined && update.putItems.length > 0 && update.removeItems.length === 0) {
          const known = items.filter(({ itemId }) => !update.putItems.some(put => put.itemId === itemId))
          turn.items = [...known, ...structuredClone([...update.putItems])]
        }
        return result
      },
    },
  ],
})

/** Lists that are cut somewhere, and steps that cost what the turn does. */
export const partSizes = inMemory('size', {
  ...Object.fromEntries(
    [100, 1024, 10_000].map(count => [
      `keeps ${count} tool calls of a turn`,
      ['a page of a list', { write: changed(turn => (turn.toolCalls = turn.toolCalls.slice(0, count))) }] as const,
    ]),
  ),
  ...Object.fromEntries(
    [1000, 10_000].map(count => [
      `keeps the last ${count} items of a turn`,
      ['a list that is trimmed', { write: changed(turn => (turn.items = turn.items.slice(-count))) }] as const,
    ]),
  ),
  'reads 1,000 parts': [
    'one batch of a scan',
    {
      async readParts(_store, next, id, turnId, range, scope) {
        const page = await next(id, turnId, range, scope)
        return page && { ...page, parts: page.parts.slice(0, 1000) }
      },
    },
  ],
  'declares steps that cost the same, and rewrites the turn': [
    'a capability that was copied',
    { capabilities: { constantStep: true, search: 'scan' } },
  ],
})

function turnIn(record: SessionRecord | undefined, turnId: string): TurnRecord | undefined {
  return record?.turns.findLast(turn => turn.turnId === turnId)
}

/** Alters each turn of a copy. */
function changed(alter: (turn: TurnRecord) => unknown): (record: SessionRecord) => SessionRecord {
  return record => {
    const copy = structuredClone(record)
    for (const turn of copy.turns) alter(turn)
    return copy
  }
}

/** Alters the updates of a change. */
function updating(
  alter: (update: CheckedTurnUpdate, turn: TurnRecord | undefined) => Partial<CheckedTurnUpdate>,
): Faults {
  return {
    change(next, id, change, on) {
      const updateTurns = change.updateTurns.map(update => ({
        ...update,
        ...alter(update, turnIn(this.kept(id), update.turnId)),
      }))
      return next(id, { ...change, updateTurns }, on)
    },
  }
}

/** Alters a turn that was updated. */
function afterwards(alter: (turn: TurnRecord, before: TurnRecord, update: CheckedTurnUpdate) => unknown): Faults {
  return {
    async change(next, id, change, on) {
      const before = structuredClone(this.kept(id))
      const result = await next(id, change, on)
      for (const update of change.updateTurns) {
        const [turn, old] = [turnIn(this.kept(id), update.turnId), turnIn(before, update.turnId)]
        if (turn && old && this.kept(id)?.revision !== before?.revision) alter(turn, old, update)
      }
      return result
    },
  }
}

/** Whether a call may replace a finished one: the last one, or one that the same change has put. */
function replacing(
  mayReplace: (call: ToolCallRecord, old: ToolCallRecord | undefined, replace: boolean) => boolean,
): Faults {
  return updating((update, turn) => ({
    putToolCalls: update.putToolCalls.map(({ call, replace }) => {
      const old = turn?.toolCalls.findLast(({ callId }) => callId === call.callId)
      return { call, replace: mayReplace(call, old, replace) }
    }),
  }))
}

/** Counts an update that alters nothing. */
function raising(isCounted: (update: CheckedTurnUpdate, turn: TurnRecord) => boolean): Faults {
  return {
    async change(next, id, change, on) {
      const before = structuredClone(this.kept(id))
      const result = await next(id, change, on)
      const kept = this.kept(id)
      const counts = change.updateTurns.some(update => {
        const turn = turnIn(before, update.turnId)
        return turn !== undefined && isCounted(update, turn)
      })
      if (before && kept?.revision === before.revision && counts) result.revision = ++kept.revision
      return result
    },
  }
}

/** Takes a turn for a repetition. */
function knowing(isKnown: (stored: TurnRecord, turn: TurnRecord) => boolean): Faults {
  return {
    async change(next, id, change: CheckedChange, on) {
      const kept = this.kept(id)
      const view = kept && viewOf(kept)
      const known = change.appendTurns.filter(turn => {
        const stored = view?.findTurn(turn.turnId, change.keepTurns ?? Infinity)
        return stored !== undefined && isKnown(stored.whole(), turn)
      })
      const appendTurns = change.appendTurns.filter(turn => !known.includes(turn))
      const result = await next(id, { ...change, appendTurns }, on)
      return { ...result, deduplicated: [...result.deduplicated, ...known.map(({ turnId }) => turnId)] }
    },
  }
}

/** Alters the counts of heads. */
function heads(
  alter: (counts: { toolCalls: number; items: number }, turnId: string) => { toolCalls: number; items: number },
): NonNullable<Faults['readHeads']> {
  return async (next, id, range, scope) => {
    const page = await next(id, range, scope)
    return (
      page && {
        ...page,
        turns: page.turns.map(turn => ({ ...turn, partCounts: alter(turn.partCounts, turn.turnId) })),
      }
    )
  }
}
