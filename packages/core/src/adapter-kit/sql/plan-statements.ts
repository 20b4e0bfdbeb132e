import { timeKey } from '../../basics/time.js'
import type { ChangePlan } from '../../changes/decide-change.js'
import { encodeRemembered, type RememberedChange } from '../../changes/remembered-change.js'
import type { PartsPlan, PartWrite, TurnPlan } from '../../changes/turn-draft.js'
import type { Part } from '../../changes/turn-view.js'
import {
  type AgentTransitionRecord,
  isEnded,
  type PartCounts,
  type SessionRecord,
  type TurnRecord,
} from '../../records/models.js'
import { idOfPart } from '../../records/part-ids.js'
import { encodeTransition } from '../../records/encode-record.js'
import { exact, exactOrNull } from './columns.js'
import { type Dialect, type SqlValue, type Statement, template, type Template } from './statement.js'
import { bodyOfHead, listCodes, rowsAfterUpdate, rowsOfTurn, type TurnRows, wholeRows } from './turn-rows.js'

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
  /** `:seq`, `:turn_id`, `:body`, of a turn that is and stays whole. Counts 1. */
  readonly replaceTurn: Verb
  /** `:seq`, `:turn_id`, `:body`; with {@link parts} also `:opened` (0 or 1) and the values of `setParts`. Counts 1. */
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
  /** Without them, each turn is stored whole, and a step costs what its turn costs. */
  readonly parts?: PartVerbs
}

/** What writes do to the parts of opened turns. All have `:seq`, the place of the turn. */
export interface PartVerbs {
  /** The values of `insertTurn`, for a turn that was whole. Its parts follow. Counts 1. */
  readonly openTurn: Verb
  /** `:body`. Counts 1. */
  readonly setTurnHead: Verb
  /** `:tool_calls`, `:items`, `:bytes`: the counts of parts and the size of the turn; null for a whole turn. Counts 1. */
  readonly setParts: Verb
  /** `:list`, `:part_id`, `:body`, `:running` (1 for a tool call that runs); its place is after those that the list has. Counts 1. */
  readonly insertPart: Verb
  /** `:list`, `:place`, `:body`, `:running`. Counts 1. */
  readonly replacePart: Verb
  /** `:list`, `:place`. Counts 1. */
  readonly removePart: Verb
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
type PreparedVerbs<Verbs> = { readonly [Name in keyof Verbs]-?: Prepared }
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
  readonly #verbs: PreparedVerbs<Omit<PlanVerbs, 'parts'>>
  readonly #parts: PreparedVerbs<PartVerbs> | null

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
    this.#parts = verbs.parts === undefined ? null : preparedParts(verbs.parts, prepare)
  }

  /**
   * Also for a plan that changes nothing, which may have something to remember.
   * @param updated the turn after its update; null for a turn that is opened
   * @param rowsOf the rows of an appended turn, if it was encoded before the transaction
   */
  planned(
    plan: ChangePlan,
    session: PlannedSession,
    updated: (update: TurnPlan) => TurnRecord | null,
    rowsOf?: (turn: TurnRecord) => TurnRows,
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
      this.#addUpdate(statements, key, update, updated(update))
    }
    this.#addContent(statements, key, keepTurns ?? turnCount, plan.appendTurns, plan.appendAgentTransitions, rowsOf)
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

  /** Adds the turns and agent transitions of a session that has none. @param rowsOf as in {@link planned} */
  content(
    key: SqlValue,
    session: Pick<SessionRecord, 'turns' | 'agentTransitions'>,
    rowsOf?: (turn: TurnRecord) => TurnRows,
  ): Statement[] {
    const statements: Statement[] = []
    this.#addContent(statements, key, 0, session.turns, session.agentTransitions, rowsOf)
    return statements
  }

  #addUpdate(statements: Statement[], key: SqlValue, update: TurnPlan, turn: TurnRecord | null): void {
    if (turn === null) {
      this.#addStep(statements, key, update)
      return
    }
    const rows = this.#parts === null ? wholeRows(turn) : rowsAfterUpdate(turn)
    const values = turnValues(key, update.index, turn.turnId, rows)
    if (this.#parts === null || rows.opened === null) add(statements, this.#verbs.replaceTurn, values)
    else add(statements, this.#parts.openTurn, values)
    this.#addParts(statements, key, update.index, rows)
  }

  /** What changes in an opened turn. */
  #addStep(statements: Statement[], key: SqlValue, update: TurnPlan): void {
    if (this.#parts === null) throw new TypeError('No turn is opened without the verbs of parts')
    const turn = { session: key, seq: update.index }
    const { head, toolCalls, items } = update
    if (head !== undefined) add(statements, this.#parts.setTurnHead, { ...turn, body: bodyOfHead(head) })
    this.#addPartsPlan(statements, this.#parts, { ...turn, list: listCodes.toolCalls }, toolCalls)
    this.#addPartsPlan(statements, this.#parts, { ...turn, list: listCodes.items }, items)
    add(statements, this.#parts.setParts, { ...turn, ...countValues(update) })
  }

  #addPartsPlan(
    statements: Statement[],
    verbs: PreparedVerbs<PartVerbs>,
    list: Values,
    { removed, replaced, added }: PartsPlan<Part>,
  ): void {
    for (const { place } of removed) add(statements, verbs.removePart, { ...list, place })
    for (const part of replaced) {
      add(statements, verbs.replacePart, { ...list, place: part.place, ...partValues(part) })
    }
    for (const part of added) add(statements, verbs.insertPart, { ...list, ...partValues(part) })
  }

  /** The parts of a turn that is opened. */
  #addParts(statements: Statement[], key: SqlValue, seq: number, { opened }: TurnRows): void {
    if (opened === null) return
    if (this.#parts === null) throw new TypeError('No turn is opened without the verbs of parts')
    for (const { list, part } of opened.parts) {
      add(statements, this.#parts.insertPart, { session: key, seq, list: listCodes[list], ...partValues(part) })
    }
  }

  #addContent(
    statements: Statement[],
    key: SqlValue,
    first: number,
    turns: readonly TurnRecord[],
    transitions: readonly AgentTransitionRecord[],
    rowsOf: (turn: TurnRecord) => TurnRows = this.#parts === null ? wholeRows : rowsOfTurn,
  ): void {
    turns.forEach((turn, at) => {
      const rows = rowsOf(turn)
      add(statements, this.#verbs.insertTurn, turnValues(key, first + at, turn.turnId, rows))
      this.#addParts(statements, key, first + at, rows)
    })
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
  for (const { make, isCounted } of verb) statements.push(make(values, isCounted ? changes : undefined))
}

function turnValues(key: SqlValue, seq: number, turnId: string, { body, opened }: TurnRows): Values {
  return {
    session: key,
    seq,
    turn_id: exact(turnId),
    body,
    opened: opened === null ? 0 : 1,
    tool_calls: opened === null ? null : opened.partCounts.toolCalls,
    items: opened === null ? null : opened.partCounts.items,
    bytes: opened === null ? null : opened.bytes,
  }
}

function countValues({ partCounts, bytes }: { readonly partCounts: PartCounts; readonly bytes: number }): Values {
  return { tool_calls: partCounts.toolCalls, items: partCounts.items, bytes }
}

/** The values of a part, but for its place: see {@link PartVerbs}. */
export function partValues({
  part,
  json,
}: PartWrite<Part>): Readonly<Record<'part_id' | 'body' | 'running', SqlValue>> {
  return { part_id: exact(idOfPart(part)), body: json, running: 'callId' in part && part.status === 'running' ? 1 : 0 }
}

function preparedParts(verbs: PartVerbs, prepare: (verb: Verb) => Prepared): PreparedVerbs<PartVerbs> {
  return {
    openTurn: prepare(verbs.openTurn),
    setTurnHead: prepare(verbs.setTurnHead),
    setParts: prepare(verbs.setParts),
    insertPart: prepare(verbs.insertPart),
    replacePart: prepare(verbs.replacePart),
    removePart: prepare(verbs.removePart),
  }
}
