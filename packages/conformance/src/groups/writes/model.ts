import fc from 'fast-check'
import type { SessionRecord, SessionStore } from '@turnstore/core'
import type { Bench, Cases, Group } from '../../cases/cases.js'
import { same } from '../../checks/expect.js'
import { gather } from '../../samples/methods.js'
import { answerOf, sameOutcome, type State } from '../../histories/reference-model.js'
import { type CallOptions, callerOf, type Operation, perform } from '../../histories/operations.js'
import { expectProperty } from '../../samples/property.js'
import { idsOf } from '../../histories/query-oracle.js'
import { sessionIds, type Step, stepsOf } from '../../samples/steps.js'
import { tellOutcome } from '../../histories/tell-call.js'
import { tellStep } from '../../samples/tell-step.js'

/**
 * Random histories of one store, compared step by step with a model: a map of records that core's `applyChange` changes.
 * Failures are shrunk to the shortest history that still fails.
 */
export const modelGroup: Group = { title: 'Model', define }

type Model = Map<string, NonNullable<State>>

interface Real {
  store: SessionStore
  reopen(): Promise<SessionStore>
}

function define(cases: Cases): void {
  const { it } = cases
  const run =
    (canReopen: boolean) =>
    async (bench: Bench): Promise<void> => {
      const histories = fc.commands(
        stepsOf(canReopen).map(step => step.map(commandOf)),
        // Otherwise, few histories are that long.
        { maxCommands: 24, size: 'max' },
      )
      const property = fc.asyncProperty(histories, async commands => {
        // Only the first store of a case can be reopened, so a history with reopening starts with an empty store.
        const store = canReopen ? await emptied(bench.store) : await bench.open()
        const model: Model = new Map()
        // Those of all histories together may be more than a server has connections for.
        const own = canReopen ? [] : [store]
        const reopen = async (): Promise<SessionStore> => {
          const handle = await bench.reopen()
          own.push(handle)
          return handle
        }
        await fc.asyncModelRun(() => ({ model, real: { store, reopen } }), commands)
        await expectSame(model, store)
        for (const each of own) await each.close()
      })
      await expectProperty(cases, property, {
        runs: canReopen ? 36 : 72,
        tell: commands => Array.from(commands, command => command.toString()),
      })
    }
  it('change', 'agrees with the model over random histories', run(false))
  it('stored', 'agrees with the model over random histories and several handles', run(true), {
    needs: 'reopen',
  })
}

function commandOf(step: Step): fc.AsyncCommand<Model, Real> {
  return {
    check: () => true,
    run: (model, real) => performStep(step, model, real),
    toString: () => tellStep(step),
  }
}

async function performStep(step: Step, model: Model, real: Real): Promise<void> {
  switch (step.do) {
    case 'save':
    case 'change':
    case 'delete': {
      const operation = operationOf(step, model)
      const { id } = operation
      const { state, outcome } = answerOf(model.get(id) ?? null, operation)
      const answer = await perform(operation, callerOf(real.store))
      if (!sameOutcome(answer, outcome)) same(tellOutcome(answer), tellOutcome(outcome), operation.method)
      if (state === null) model.delete(id)
      else model.set(id, state)
      await expectSame(model, real.store, [id])
      return
    }
    case 'read': {
      const { id, range, turnId, parts, options } = step
      for (const operation of [
        { method: 'loadSession', id, options },
        { method: 'loadSummary', id, options },
        { method: 'readTurns', id, range, options },
        { method: 'readTurns', id, range, options: { ...options, parts: 'none' } },
        { method: 'readParts', id, turnId, range: parts, options },
      ] as const) {
        const { outcome } = answerOf(model.get(id) ?? null, operation)
        same(await perform(operation, callerOf(real.store)), outcome, operation.method)
      }
      return
    }
    case 'query': {
      const { query } = step
      const records = [...model.values()].map(({ session }) => session)
      const expected = idsOf(records, query)
      const found = await gather(real.store.sessions(query))
      same(
        found,
        expected.map(id => summaryIn(model, id)),
        'sessions',
      )
      const page = await real.store.querySessions(query)
      same(page.sessions, found.slice(0, page.sessions.length), 'the first page')
      const scope = query.workspaceId === undefined ? {} : { workspaceId: query.workspaceId }
      const listed = records.filter(session => inScope(session, scope)).map(({ sessionId }) => sessionId)
      same((await real.store.listSessions(scope)).toSorted(), listed.toSorted(), 'listSessions')
      return
    }
    case 'reopen':
      real.store = await real.reopen()
  }
}

/** The result of `loadSummary`, which listings also contain. */
function summaryIn(model: Model, id: string): unknown {
  const { outcome } = answerOf(model.get(id) ?? null, { method: 'loadSummary', id })
  return outcome.kind === 'gave' ? outcome.value : outcome
}

/** Conditions are generated as an offset from the current revision. */
function operationOf(step: Extract<Step, { do: 'save' | 'change' | 'delete' }>, model: Model): Operation {
  const id = step.do === 'save' ? step.record.sessionId : step.id
  const { revisionOff, ...others } = step.options
  const revision = (model.get(id)?.session.revision ?? 0) + (revisionOff ?? 0)
  const least = step.do === 'save' ? 0 : 1
  const options = revisionOff === undefined ? others : { ...others, ifRevision: Math.max(least, revision) }
  if (step.do === 'save') return { method: 'saveSession', id, record: step.record, options }
  if (step.do === 'change') return { method: 'changeSession', id, change: step.change, options }
  return { method: 'deleteSession', id, options: others }
}

function inScope({ workspaceId }: SessionRecord, scope: CallOptions): boolean {
  return scope.workspaceId === undefined || scope.workspaceId === workspaceId
}

async function expectSame(model: Model, store: SessionStore, ids: readonly string[] = sessionIds): Promise<void> {
  for (const id of ids) same(await store.loadSession(id), model.get(id)?.session ?? null, `session ${id}`)
}

async function emptied(store: SessionStore): Promise<SessionStore> {
  for (const id of await store.listSessions()) await store.deleteSession(id)
  return store
}
