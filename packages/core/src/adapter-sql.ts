/**
 * The API for authors of adapters to SQL databases: rows as records, the parts of listings, and plans as statements.
 * It has no driver. `docs/writing-an-adapter.md` builds an adapter with it.
 */
export {
  count,
  exact,
  exactOrNull,
  fromExact,
  fromExactOrNull,
  type Row,
  sessionColumns,
  LAST_TURN_PROMPT,
  lastTurnColumns,
  summaryOfRow,
  text,
  textOrNull,
} from './adapter-kit/sql/columns.js'
export {
  filterTerms,
  keyOf,
  type ListingColumns,
  orderOf,
  rangeTerms,
  scopeTerms,
  upToTerm,
  where,
} from './adapter-kit/sql/listing-sql.js'
export { parseScanned } from './search/scanned-rows.js'
export { parseHeads, parseParts, parseTurns } from './adapter-kit/sql/parse-rows.js'
export {
  partValues,
  type PartVerbs,
  type PlannedSession,
  type PlanVerbs,
  PlanWriter,
  type Verb,
} from './adapter-kit/sql/plan-statements.js'
export { OpenTurnView, type OpenTurnSource } from './adapter-kit/sql/open-turn-view.js'
export {
  anyOpened,
  countsOf,
  isOpened,
  readAllTurns,
  readHead,
  readPart,
  readTurn,
  readTurnHeads,
  readTurnRows,
  type StoredTurns,
} from './adapter-kit/sql/stored-turns.js'
export { listCodes, rowsOfTurn, type TurnRows } from './adapter-kit/sql/turn-rows.js'
export {
  Bindings,
  type Dialect,
  type SqlValue,
  type Statement,
  template,
  type Template,
} from './adapter-kit/sql/statement.js'
