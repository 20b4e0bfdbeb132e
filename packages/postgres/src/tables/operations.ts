import {
  type Dialect,
  PlanWriter,
  type SqlValue,
  type Statement,
  template,
  type Template,
} from '@turnstore/core/adapter/sql'

/*
 * What a write does, as operations of the function `write` in the database, which has the SQL of each. The names after a
 * colon are the values that the kit names: see `PlanVerbs` and `sessionColumns` of core. The function takes them in this
 * order.
 */

/** Without placeholders, a prepared statement is the name of its operation. */
const dialect: Dialect = { placeholder: () => '' }

export const writer: PlanWriter = new PlanWriter(
  {
    clear: ['clear'],
    rewind: ['rewind:keep_turns'],
    replaceTurn: ['replace_turn:seq:body'],
    insertTurn: ['turn:seq:turn_id:body:tool_calls:items:bytes'],
    parts: {
      openTurn: ['open_turn:seq:body:tool_calls:items:bytes'],
      setTurnHead: ['turn_head:seq:body'],
      setParts: ['turn_counts:seq:tool_calls:items:bytes'],
      insertPart: ['part:seq:list:part_id:body:running'],
      replacePart: ['replace_part:seq:list:place:body:running'],
      removePart: ['remove_part:seq:list:place'],
    },
    insertTransition: ['transition:transition_id:turn_id:body'],
    setMetadata: ['metadata:metadata'],
    setSession: ['session:agent_id:ended'],
    setHead: ['head:updated_at:updated_key:revision:turn_count:transitions_added'],
    remember: ['remember:key:body'],
  },
  dialect,
)

const COLUMNS =
  ':session_id:workspace_id:parent_session_id:agent_id:created_at:created_key:updated_at:updated_key:ended:metadata:extra:revision:turn_count:transition_count'

/** With the values of `sessionColumns`. */
export const createSession: Template = template(`create${COLUMNS}`, dialect)
export const replaceSession: Template = template(`replace${COLUMNS}`, dialect)

/** Deletes whatever is left of the session. */
export const deleteSession: Statement = { text: 'delete', values: [] }

/** Appends a turn, if it has a new id. It is skipped if what it assumes of the session is wrong. */
export const appendTurn: Template = template(
  'append:turn_id:body:tool_calls:items:bytes:updated_at:updated_key:reopen:if_revision',
  dialect,
)

/** A part of the turn that was appended before it. */
export const appendedPart: Template = template('appended_part:list:part_id:body:running', dialect)

/**
 * Adds a part with a new id to an opened turn, or the result of a tool call that runs there. It is skipped if what it
 * assumes of the session is wrong.
 */
export const putPart: Template = template(
  'step:turn_id:list:part_id:body:running:bytes:most_bytes:updated_at:updated_key:if_revision',
  dialect,
)

/** Operations and their values, as the function takes them. */
export interface Operations {
  readonly names: readonly string[]
  readonly values: readonly SqlValue[]
}

export function operationsOf(statements: readonly Statement[]): Operations {
  return { names: statements.map(({ text }) => text), values: statements.flatMap(({ values }) => values) }
}
