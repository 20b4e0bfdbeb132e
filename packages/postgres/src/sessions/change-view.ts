import type { AgentTransitionRecord, TurnRecord } from '@turnstore/core'
import {
  applyTurnPlan,
  type ChangeCondition,
  type CheckedChange,
  damaged,
  inScope,
  lookupsOf,
  type Lookups,
  ofSession,
  readStoredObject,
  readStoredRemembered,
  readStoredTransition,
  type Scope,
  type SessionView,
  type TurnLookup,
  type TurnPlan,
  type TurnView,
  turnViewOf,
  viewOfAnswers,
} from '@turnstore/core/adapter'
import {
  count,
  exact,
  fromExact,
  fromExactOrNull,
  isOpened,
  listCodes,
  OpenTurnView,
  type PlannedSession,
  readAllTurns,
  readHead,
  readTurn,
  type Row,
  text,
  textOrNull,
} from '@turnstore/core/adapter/sql'
import type { Database } from '../server/database.js'
import type { Statements } from '../tables/statements.js'
import { byKind, checkTurnCount, type RowsByKind, scopeValues } from './session-reader.js'
import type { Expected } from './write-call.js'

/** A session as a change sees it, at one moment. */
export interface ChangeView {
  readonly view: SessionView
  /** For `PlanWriter`. */
  readonly planned: PlannedSession
  /** The same session at the same revision. */
  readonly expected: Expected
  /** For `PlanWriter`: a turn after its update, or null if it is opened. */
  updated(update: TurnPlan): TurnRecord | null
}

/**
 * Looks up what a change asks about a session, in one statement.
 * @returns `null` if there is no such session, `'elsewhere'` if it is out of the scope
 * @throws `CORRUPT_SESSION`
 */
export async function lookUp(
  database: Database,
  { lookUp }: Statements,
  sessionId: string,
  change: CheckedChange,
  condition: ChangeCondition,
  deadline: number,
): Promise<ChangeView | 'elsewhere' | null> {
  const lookups = lookupsOf(change, condition)
  const rows = byKind(await database.read(lookUp, valuesOf(sessionId, lookups, condition.scope), deadline))
  const [session] = rows('session')
  if (session === undefined) return null
  return ofSession(sessionId, () =>
    inScope({ workspaceId: textOrNull(session, 'workspace_id') }, condition.scope)
      ? viewOfRows(sessionId, session, rows, lookups)
      : 'elsewhere',
  )
}

function valuesOf(
  sessionId: string,
  { turns, before, transitionIds, metadata, key }: Lookups,
  scope: Scope,
): unknown[] {
  const parts = turns.flatMap((turn, index) =>
    (['toolCalls', 'items'] as const).flatMap(list =>
      turn.parts[list].map(id => ({ turn: index + 1, list: listCodes[list], id: exact(id), counts: turn.countsFrom })),
    ),
  )
  return [
    sessionId,
    ...scopeValues(scope),
    before ?? null,
    metadata,
    key ?? null,
    transitionIds.map(exact),
    turns.map(({ turnId }) => exact(turnId)),
    turns.map(({ wholeIf }) => (wholeIf === 'any' ? -1 : (wholeIf?.toolCalls ?? null))),
    turns.map(({ wholeIf }) => (wholeIf === 'any' ? -1 : (wholeIf?.items ?? null))),
    parts.map(({ turn }) => turn),
    parts.map(({ list }) => list),
    parts.map(({ id }) => id),
    parts.map(({ counts }) => counts),
  ]
}

function viewOfRows(sessionId: string, session: Row, rows: RowsByKind, lookups: Lookups): ChangeView {
  const turnCount = checkTurnCount(session)
  const revision = count(session, 'revision')
  const agentId = fromExactOrNull(session, 'agent_id')
  const whole = new Map<number, TurnRecord>()
  const turns = new Map(
    rows('turn').map((row): [string, TurnView] => {
      const lookup = lookups.turns[count(row, 'turn') - 1]
      if (lookup === undefined) throw damaged('a turn is found that was not looked for')
      if (isOpened(row)) return [lookup.turnId, openTurn(row, rows, lookup)]
      const turn = readTurn(row, lookup.turnId)
      whole.set(count(row, 'seq'), turn)
      // Each unit of the JSON has at most three bytes.
      return [lookup.turnId, turnViewOf(turn, count(row, 'seq'), 3 * text(row, 'body').length)]
    }),
  )
  const transitions = new Map<string, AgentTransitionRecord>()
  const firstIndexes = new Map<string, number>()
  for (const row of rows('transition')) {
    const transition = readStoredTransition(row.body)
    const id = fromExactOrNull(row, 'transition_id')
    if (id === null || id !== transition.transitionId || fromExact(row, 'turn_id') !== transition.turnId) {
      throw damaged('an agent transition is found by the id of another one')
    }
    transitions.set(id, transition)
    if (lookups.before !== undefined && row.seq !== null) firstIndexes.set(transition.turnId, count(row, 'seq'))
  }
  const [remembered] = rows('key').map(row => {
    const change = readStoredRemembered(row.body)
    if (change.key === text(row, 'key')) return change
    throw damaged('a remembered change is found by the key of another one')
  })
  return {
    view: viewOfAnswers({
      sessionId,
      revision,
      turnCount,
      agentId,
      updatedAt: fromExact(session, 'updated_at'),
      metadata: lookups.metadata ? readStoredObject(session.metadata, 'metadata') : {},
      turns,
      transitions,
      firstIndexes,
      remembered,
    }),
    planned: { key: null, turnCount, agentId, ended: count(session, 'ended') },
    expected: { id: `${count(session, 'id')}`, revision },
    updated: update => {
      const turn = whole.get(update.index)
      return turn === undefined ? null : applyTurnPlan(turn, update)
    },
  }
}

function openTurn(row: Row, rows: RowsByKind, { turnId }: TurnLookup): TurnView {
  if (fromExact(row, 'turn_id') !== turnId) throw damaged(`turn ${count(row, 'seq')} is found by the id of another one`)
  const isOfTurn = (part: Row): boolean => part.turn === row.turn
  const parts = rows('part').filter(isOfTurn)
  return new OpenTurnView(row, {
    head: () => readHead(row, turnId),
    partsWithId: (list, partId) =>
      parts.filter(part => part.list === listCodes[list] && part.part_id === exact(partId)),
    countFrom: (list, place) => {
      const found = parts.find(part => part.list === listCodes[list] && part.place === place)
      return count(found ?? {}, 'parts')
    },
    whole: () => {
      const [turn] = readAllTurns({ turns: [row], parts: rows('whole').filter(isOfTurn) })
      if (turn === undefined) throw damaged('turns are missing')
      return turn
    },
  })
}
