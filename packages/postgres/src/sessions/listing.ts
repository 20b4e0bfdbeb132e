import type { SessionPage } from '@turnstore/core'
import {
  type CheckedQuery,
  damageOf,
  FillingPage,
  type Listed,
  type Position,
  type Scope,
} from '@turnstore/core/adapter'
import {
  Bindings,
  count,
  type Dialect,
  filterTerms,
  keyOf,
  type ListingColumns,
  orderOf,
  rangeTerms,
  type Row,
  scopeTerms,
  summaryOfRow,
  text,
  where,
} from '@turnstore/core/adapter/sql'
import type { Database } from '../server/database.js'
import type { Statements } from '../tables/statements.js'

const dialect: Dialect = { placeholder: position => `$${position}` }

const columns: ListingColumns = {
  sessionId: 's.session_id',
  workspaceId: 's.workspace_id',
  parentSessionId: 's.parent_session_id',
  agentId: 's.agent_id',
  ended: 's.ended',
  createdKey: 's.created_key',
  updatedKey: 's.updated_key',
}

/** Rows that a filtered query reads at once. */
const CHUNK = 500

/** About how many bytes of metadata are read at once: each row may have a megabyte. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** Lists sessions. A page is a range of an index, and costs the same wherever it is. */
export class SessionListing {
  readonly #database: Database
  readonly #statements: Statements

  constructor(database: Database, statements: Statements) {
    this.#database = database
    this.#statements = statements
  }

  async ids(scope: Scope, deadline: number): Promise<string[]> {
    const bindings = new Bindings(dialect)
    const statement = `SELECT s.session_id FROM ${this.#statements.sessions} ${where(scopeTerms(scope, columns, bindings))}`
    const rows = await this.#database.read(statement, bindings.values, deadline)
    return rows.map(row => text(row, 'session_id'))
  }

  /**
   * With a filter that no index answers, reads chunk by chunk until the page is full. If that takes longer than half of
   * the time, the page is short.
   */
  async page(query: CheckedQuery, deadline: number): Promise<SessionPage> {
    const enough = (performance.now() + deadline) / 2
    const page = new FillingPage(query)
    for (let after = query.after; ;) {
      const { rows, end } = await this.#chunk(query, after, page.room + 1, deadline)
      for (const row of rows) if (!page.add(listedOf(row), positionOf(row))) return page.cut()
      if (end === null) return page.end()
      page.pass(end)
      if (performance.now() > enough) return page.cut()
      after = end
    }
  }

  /** The next rows that may match, and the position up to which it looked; null: to the end. */
  async #chunk(
    query: CheckedQuery,
    after: Position | undefined,
    most: number,
    deadline: number,
  ): Promise<{ rows: readonly Row[]; end: Position | null }> {
    const { sessions, withLastTurn } = this.#statements
    const bindings = new Bindings(dialect)
    const range = rangeTerms(query, columns, after, bindings)
    const filter = filterTerms(query, columns, bindings)
    // Metadata and the status of the last turn are compared later, so any row may match.
    const isFiltered = filter.length > 0 || query.metadata.length > 0 || query.lastTurnStatus !== undefined
    const limit = isFiltered ? CHUNK : most
    const order = orderOf(query, columns)
    const statement = `
      WITH found AS MATERIALIZED (
        SELECT s.*, ${keyOf(query, columns)} AS place FROM ${sessions} ${where(range)} ORDER BY ${order}
        LIMIT ${bindings.bind(limit)}
      ), chunk AS MATERIALIZED (
        SELECT s.*, row_number() OVER ranked AS number, sum(octet_length(s.metadata)) OVER ranked AS bytes
        FROM found AS s WINDOW ranked AS (ORDER BY ${order} ROWS UNBOUNDED PRECEDING)
      ), edge AS (
        SELECT s.place AS end_time, s.session_id AS end_id, s.number AS end_number, (SELECT count(*) FROM chunk) AS found
        FROM chunk AS s WHERE s.number = 1 OR s.bytes <= ${CHUNK_BYTES} ORDER BY s.number DESC LIMIT 1
      )
      SELECT s.*, f.*, edge.* FROM edge
      LEFT JOIN chunk AS s ON ${['s.number <= end_number', ...filter].join(' AND ')}
      ${withLastTurn} ORDER BY s.number`
    const rows = await this.#database.read(statement, bindings.values, deadline)
    const [row] = rows
    if (row === undefined) return { rows: [], end: null }
    const isEnd = count(row, 'found') < limit && count(row, 'end_number') === count(row, 'found')
    return {
      rows: rows.filter(each => each.session_id !== null),
      end: isEnd ? null : { time: text(row, 'end_time'), sessionId: text(row, 'end_id') },
    }
  }
}

function positionOf(row: Row): Position {
  return { time: text(row, 'place'), sessionId: text(row, 'session_id') }
}

/** A damaged session does not end the listing. */
function listedOf(row: Row): Listed {
  try {
    return summaryOfRow(row)
  } catch (error) {
    const damage = damageOf(text(row, 'session_id'), error)
    if (damage === null) throw error
    return damage
  }
}
