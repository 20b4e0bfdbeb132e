import { timeKey } from '../../basics/time.js'
import type { ChangePlan } from '../../changes/decide-change.js'
import { encodeRemembered, type RememberedChange } from '../../changes/remembered-change.js'
import type { TurnPlan } from '../../changes/turn-draft.js'
import { type AgentTransitionRecord, isEnded, type SessionRecord, type TurnRecord } from '../../records/models.js'
import { encodeTransition, encodeTurn } from '../../records/encode-record.js'
import { exact, exactOrNull } from './columns.js'
import { type Dialect, type SqlValue, type Statement, template, type Template } from './statement.js'

/** The statements of a verb, one after the other. `counted` must change as many rows as the verb says. */
export type Verb = readonly (string | { readonly counted: string })[]

/**
 * What writes do to the tables. The statements name their values: see `template`. All have `:session`, the key of the
 * session in the tables.
 */
export interface PlanVerbs {
  /** Drops all turns, of which `:turns_before` are counted, and all agent transitions, before a save or a delete. */
  readonly clear: Verb
  /**
   * Drops the turns from `:keep_turns` on, of which `:turns_before` less `:keep_turns` are counted. Before them, drops
   * the agent transitions whose `turn_id` is that of a dropped turn and of no turn that stays, and corrects their number.
   */
  readonly rewind: Verb
  /** `:seq`, `:turn_id`, `:body`. Counts 1. */
  readonly replaceTurn: Verb
  /** `:seq`, `:turn_id`, `:body`. Counts 1. */
  readonly insertTurn: Verb
  /** `:transition_id`, `:turn_id`, `:body`; its place is after those that are there. Counts 1. */
  readonly insertTransition: Verb
  /** `:metadata`. Counts 1. */
  readonly setMetadata: Verb
  /** `:agent_id`, `:ended`. Counts 1. */
  readonly setSession: Verb
  /** `:updated_at`, `:updated_key`, `:revision`, `:turn_count`, and `:transitions_added` to their number. Counts 1. */
  readonly setHead: Verb
  /**
   * `:key`, `:body`: what the session remembers by a key. Drops all but the last 256. Without this verb, store
   * `plan.remember` yourself.
   */
  readonly remember?: Verb
}

/** The session that a plan is of, before the change. */
export interface PlannedSession {
  /** The key of the session in the tables: `:session`. */
  readonly key: SqlValue
  readonly turnCount: number
  readonly agentId: string | null
  /** The column `ended`. */
  readonly ended: number
}

type Values = Readonly<Record<string, SqlValue>>
type Prepared = readonly { readonly make: Template; readonly isCounted: boolean }[]

/**
 * Writes plans and sessions as statements. They are data: run them one by one or all at once, in one transaction with
 * the reads that the plan is based on.
 *
 * @example
 * const writer = new PlanWriter(verbs, { placeholder: () => '?' })
 * for (const { text, values, changes } of writer.planned(plan, session)) {
 *   const changed = database.prepare(text).run(...values).changes
 *   if (changes !== undefined && changed !== changes) throw damaged('turns are missing')
 * }
 */
export class PlanWriter {
  readonly #verbs: { readonly [Name in keyof PlanVerbs]-?: Prepared }

  constructor(verbs: PlanVerbs, dialect: Dialect) {
    const prepare = (verb: Verb): Prepared =>
      verb.map(part =>
        typeof part === 'string'
          ? { make: template(part, dialect), isCounted: false }
          : { make: template(part.counted, dialect), isCounted: true },
      )
    this.#verbs = {
      clear: prepare(verbs.clear),
      rewind: prepare(verbs.rewind),
      replaceTurn: prepare(verbs.replaceTurn),
      insertTurn: prepare(verbs.insertTurn),
      insertTransition: prepare(verbs.insertTransition),
      setMetadata: prepare(verbs.setMetadata),
      setSession: prepare(verbs.setSession),
      setHead: prepare(verbs.setHead),
      remember: prepare(verbs.remember ?? []),
    }
  }

  /**
   * Also for a plan that changes nothing, which may have something to remember.
   * @param updated the turn after its update
   * @param bodyOf the JSON of a turn, if it was encoded before the transaction
   */
  planned(
    plan: ChangePlan,
    session: PlannedSession,
    updated: (update: TurnPlan) => TurnRecord,
    bodyOf: (turn: TurnRecord) => string = bodyOfTurn,
  ): Statement[] {
    const { key, turnCount } = session
    const { keepTurns, metadata, agentId, updatedAt, remember } = plan
    const statements: Statement[] = remember === undefined ? [] : this.remembered(key, remember)
    if (!plan.changed) return statements
    if (keepTurns !== undefined) {
      const values = { session: key, keep_turns: keepTurns, turns_before: turnCount }
      add(statements, this.#verbs.rewind, values, turnCount - keepTurns)
    }
    for (const update of plan.updateTurns) {
      add(statements, this.#verbs.replaceTurn, turnValues(key, update.index, updated(update), bodyOfTurn))
    }
    this.#addContent(statements, key, keepTurns ?? turnCount, plan.appendTurns, plan.appendAgentTransitions, bodyOf)
    if (metadata !== undefined) {
      add(statements, this.#verbs.setMetadata, { session: key, metadata: JSON.stringify(metadata) })
    }
    if (metadata !== undefined || agentId !== undefined) {
      add(statements, this.#verbs.setSession, {
        session: key,
        agent_id: exactOrNull(agentId === undefined ? session.agentId : agentId),
        ended: metadata === undefined ? session.ended : Number(isEnded({ metadata })),
      })
    }
    add(statements, this.#verbs.setHead, {
      session: key,
      updated_at: exact(updatedAt),
      updated_key: timeKey(updatedAt),
      revision: plan.revision,
      turn_count: plan.turnCount,
      transitions_added: plan.appendAgentTransitions.length,
    })
    return statements
  }

  remembered(key: SqlValue, change: RememberedChange): Statement[] {
    const statements: Statement[] = []
    const body = JSON.stringify(encodeRemembered(change))
    add(statements, this.#verbs.remember, { session: key, key: change.key, body })
    return statements
  }

  /** Drops the turns and agent transitions of a session. @param turnCount how many turns it has */
  cleared(key: SqlValue, turnCount: number): Statement[] {
    const statements: Statement[] = []
    add(statements, this.#verbs.clear, { session: key, turns_before: turnCount }, turnCount)
    return statements
  }

  /** Adds the turns and agent transitions of a session that has none. @param bodyOf the JSON of a turn */
  content(
    key: SqlValue,
    session: Pick<SessionRecord, 'turns' | 'agentTransitions'>,
    bodyOf: (turn: TurnRecord) => string = bodyOfTurn,
  ): Statement[] {
    const statements: Statement[] = []
    this.#addContent(statements, key, 0, session.turns, session.agentTransitions, bodyOf)
    return statements
  }

  #addContent(
    statements: Statement[],
    key: SqlValue,
    first: number,
    turns: readonly TurnRecord[],
    transitions: readonly AgentTransitionRecord[],
    bodyOf: (turn: TurnRecord) => string,
  ): void {
    turns.forEach((turn, at) => add(statements, this.#verbs.insertTurn, turnValues(key, first + at, turn, bodyOf)))
    for (const transition of transitions) {
      add(statements, this.#verbs.insertTransition, {
        session: key,
        transition_id: exactOrNull(transition.transitionId),
        turn_id: exact(transition.turnId),
        body: JSON.stringify(encodeTransition(transition)),
      })
    }
  }
}

function add(statements: Statement[], verb: Prepared, values: Values, changes = 1): void {
  for (const { make, isCounted } of verb) statements.push(isCounted ? { ...make(values), changes } : make(values))
}

function turnValues(key: SqlValue, seq: number, turn: TurnRecord, bodyOf: (turn: TurnRecord) => string): Values {
  return { session: key, seq, turn_id: exact(turn.turnId), body: bodyOf(turn) }
}

/** A turn as the column `body` holds it: JSON in the wire format. */
export function bodyOfTurn(turn: TurnRecord): string {
  return JSON.stringify(encodeTurn(turn))
}
