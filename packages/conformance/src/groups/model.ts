import fc from 'fast-check'
import {
  applyChange,
  isTurnstoreError,
  type SessionChange,
  type SessionRecord,
  type SessionStore,
  type TurnRange,
} from '@turnstore/core'
import type { Bench, Cases, Group } from '../cases.js'
import { nameOf, same } from '../expect.js'
import { gather, untyped } from '../methods.js'
import { idsOf } from '../query-oracle.js'
import { sessionIds, type Step, type StepOptions, stepsOf } from '../steps.js'

/**
 * Random histories of one store, step by step beside a model: a map of records that `applyChange`
 * of core alters. A failure is shrunk to the shortest history that still shows it.
 */
export const modelGroup: Group = { title: 'Model', define }

type Model = Map<string, SessionRecord>

interface Real {
  store: SessionStore
  reopen(): Promise<SessionStore>
}

function define({ it, thorough, seed }: Cases): void {
  const run =
    (canReopen: boolean) =>
    async (bench: Bench): Promise<void> => {
      await fc.assert(
        fc.asyncProperty(
          fc.commands(
            stepsOf(canReopen).map(step => step.map(commandOf)),
            { maxCommands: 24 },
          ),
          async commands => {
            // Only the first store of a case can be reopened, so a history with reopening begins with an empty one.
            const store = canReopen ? await emptied(bench.store) : await bench.open()
            const model: Model = new Map()
            await fc.asyncModelRun(() => ({ model, real: { store, reopen: () => bench.reopen() } }), commands)
            await expectSame(model, store)
          },
        ),
        {
          includeErrorInReport: true,
          numRuns: thorough ? 1000 : canReopen ? 30 : 60,
          interruptAfterTimeLimit: thorough ? 400_000 : 15_000,
          ...(seed === undefined ? {} : { seed }),
        },
      )
    }
  const timeoutMs = thorough ? 600_000 : 60_000
  it('change', 'agrees with the model over random histories', run(false), { timeoutMs })
  it('stored', 'agrees with the model over random histories and several handles', run(true), {
    timeoutMs,
    needs: 'reopen',
  })
}

function commandOf(step: Step): fc.AsyncCommand<Model, Real> {
  return {
    check: () => true,
    run: (model, real) => perform(step, model, real),
    toString: () => JSON.stringify(step),
  }
}

async function perform(step: Step, model: Model, real: Real): Promise<void> {
  switch (step.do) {
    case 'save': {
      const { record, options } = step
      const write = writeOptions(options, model.get(record.sessionId))
      same(
        await outcomeOf(() => real.store.saveSession(record, write)),
        await outcomeOf(async () => save(model, record, write)),
        'saveSession',
      )
      await expectSame(model, real.store, [record.sessionId])
      return
    }
    case 'change': {
      const { id, change, options } = step
      const write = writeOptions(options, model.get(id), 1)
      same(
        await outcomeOf(() => real.store.changeSession(id, change, write)),
        await outcomeOf(async () => alter(model, id, change, write)),
        'changeSession',
      )
      await expectSame(model, real.store, [id])
      return
    }
    case 'delete': {
      const { id, options } = step
      const there = visible(model, id, options) !== null
      same(await real.store.deleteSession(id, options), there, 'deleteSession')
      if (there) model.delete(id)
      await expectSame(model, real.store, [id])
      return
    }
    case 'read': {
      const { id, range, options } = step
      const session = visible(model, id, options)
      same(await real.store.loadSession(id, options), session, 'loadSession')
      same(await real.store.loadSummary(id, options), session && summaryOf(session), 'loadSummary')
      same(await real.store.readTurns(id, range, options), session && pageOf(session, range), 'readTurns')
      return
    }
    case 'query': {
      const { query } = step
      const expected = idsOf([...model.values()], query)
      const found = await gather(real.store.sessions(query))
      same(
        found.map(({ sessionId }) => sessionId),
        expected,
        'sessions',
      )
      const page = await real.store.querySessions(query)
      same(page.sessions, found.slice(0, page.sessions.length), 'the first page')
      const scope = query.workspaceId === undefined ? {} : { workspaceId: query.workspaceId }
      const listed = [...model.keys()].filter(id => visible(model, id, scope) !== null)
      same((await real.store.listSessions(scope)).toSorted(), listed.toSorted(), 'listSessions')
      return
    }
    case 'reopen':
      real.store = await real.reopen()
  }
}

function visible(model: Model, id: string, { workspaceId }: StepOptions): SessionRecord | null {
  const session = model.get(id)
  return session === undefined || (workspaceId !== undefined && session.workspaceId !== workspaceId) ? null : session
}

function save(
  model: Model,
  record: SessionRecord,
  { workspaceId, ifRevision }: { workspaceId?: string | null; ifRevision?: number },
): number {
  if (workspaceId !== undefined && workspaceId !== record.workspaceId) throw failure('INVALID_ARGUMENT')
  const current = model.get(record.sessionId)
  if (current !== undefined && current.workspaceId !== record.workspaceId) throw failure('SESSION_EXISTS')
  const revision = current?.revision ?? 0
  if (ifRevision !== undefined && ifRevision !== revision) throw failure('REVISION_CONFLICT', revision)
  // The random records have members without a prototype, which a store takes and does not give back.
  const plain: SessionRecord = untyped(JSON.parse(JSON.stringify(record)))
  model.set(record.sessionId, { ...plain, revision: revision + 1 })
  return revision + 1
}

function alter(
  model: Model,
  id: string,
  change: SessionChange,
  options: { workspaceId?: string | null; ifRevision?: number },
): unknown {
  const current = visible(model, id, options)
  if (current === null) throw failure('SESSION_NOT_FOUND')
  const { session, deduplicated } = applyChange(
    current,
    change,
    options.ifRevision === undefined ? {} : { ifRevision: options.ifRevision },
  )
  model.set(id, session)
  return { revision: session.revision, turnCount: session.turns.length, deduplicated }
}

function writeOptions(
  { revisionOff, ...scope }: StepOptions,
  session: SessionRecord | undefined,
  least = 0,
): { workspaceId?: string | null; ifRevision?: number } {
  return revisionOff === undefined
    ? scope
    : { ...scope, ifRevision: Math.max(least, (session?.revision ?? 0) + revisionOff) }
}

class ModelFailure extends Error {
  readonly outcome: { code: string; actualRevision: number | undefined }

  constructor(code: string, actualRevision: number | undefined) {
    super(code)
    this.outcome = { code, actualRevision }
  }
}

function failure(code: string, actualRevision?: number): Error {
  return new ModelFailure(code, actualRevision)
}

/** What a call came to, so that two can be compared. */
async function outcomeOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof ModelFailure) return error.outcome
    if (isTurnstoreError(error)) return { code: error.code, actualRevision: error.actualRevision }
    return nameOf(error)
  }
}

async function expectSame(model: Model, store: SessionStore, ids: readonly string[] = sessionIds): Promise<void> {
  for (const id of ids) same(await store.loadSession(id), model.get(id) ?? null, `session ${id}`)
}

function pageOf({ turns, revision }: SessionRecord, range: TurnRange): unknown {
  const turnCount = turns.length
  const [first, end] =
    range.last !== undefined
      ? [Math.max(0, turnCount - range.last), turnCount]
      : range.turnId !== undefined
        ? placeOf(
            turns.map(({ turnId }) => turnId),
            range.turnId,
          )
        : [Math.min(range.from ?? 0, turnCount), Math.min((range.from ?? 0) + (range.limit ?? turnCount), turnCount)]
  return { turns: turns.slice(first, end), firstIndex: first, turnCount, revision }
}

function placeOf(ids: readonly string[], id: string): [number, number] {
  const index = ids.lastIndexOf(id)
  return index === -1 ? [ids.length, ids.length] : [index, index + 1]
}

function summaryOf({ turns, agentTransitions, extra: _extra, ...head }: SessionRecord): unknown {
  return { ...head, turnCount: turns.length, agentTransitionCount: agentTransitions.length }
}

async function emptied(store: SessionStore): Promise<SessionStore> {
  for (const id of await store.listSessions()) await store.deleteSession(id)
  return store
}
