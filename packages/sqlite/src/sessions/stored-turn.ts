import type { PartList, PartPage, TurnRecord } from '@turnstore/core'
import { damaged, type CheckedPartRange, pageOfParts, resolvePartRange, type TurnView } from '@turnstore/core/adapter'
import {
  count,
  countsOf,
  exact,
  fromExact,
  isOpened,
  listCodes,
  OpenTurnView,
  readAllTurns,
  readHead,
  readTurn,
  type Row,
} from '@turnstore/core/adapter/sql'
import type { Connection } from '../database/connection.js'
import { sql } from '../tables/statements.js'
import { type Head, lastPlaceOfTurn } from './session-rows.js'

/*
 * One turn, found by its id: for a change of it, or to read its parts.
 */

export interface StoredTurn {
  /** Of `sql.turn`. */
  readonly row: Row
  readonly session: number
  /** Null if it is opened. */
  readonly turn: TurnRecord | null
}

/** @throws `CORRUPT_SESSION` */
export function readStoredTurn(connection: Connection, session: number, index: number, turnId: string): StoredTurn {
  const row = connection.get(sql.turn, session, index)
  if (row === undefined) throw damaged('turns are missing')
  if (!isOpened(row)) return { row, session, turn: readTurn(row, turnId) }
  if (fromExact(row, 'turn_id') !== turnId) throw damaged(`turn ${index} is found by the id of another one`)
  return { row, session, turn: null }
}

/** An opened turn as a change asks about it. */
export function openTurnView(connection: Connection, { row, session }: StoredTurn): TurnView {
  const [seq, turn] = [count(row, 'seq'), count(row, 'turn')]
  return new OpenTurnView(row, {
    head: () => readHead(oneOf(connection.all(sql.turns, session, seq, seq + 1))),
    partsWithId: (list, partId) => connection.all(sql.partsWithId, seq, turn, listCodes[list], exact(partId), session),
    countFrom: (list, place) => Number(connection.value(sql.countFrom, turn, listCodes[list], place)),
    whole: () => {
      const turns = connection.all(sql.turns, session, seq, seq + 1)
      const parts = connection.all(sql.partsOfTurns, session, seq, seq + 1)
      return oneOf(readAllTurns({ turns, parts }))
    },
  })
}

function oneOf<T>([only]: readonly T[]): T {
  if (only === undefined) throw damaged('turns are missing')
  return only
}

/**
 * The parts of a turn: in a page if it is whole, else as rows that are not parsed yet. Null if there is no such turn.
 * @throws `CORRUPT_SESSION`
 */
export function readRawParts<List extends PartList>(
  connection: Connection,
  head: Head,
  turnId: string,
  range: CheckedPartRange<List>,
): { readonly page: PartPage<List>; readonly rows: readonly Row[] } | null {
  const index = lastPlaceOfTurn(connection, head, turnId)
  if (index === -1) return null
  const { row, session, turn } = readStoredTurn(connection, head.id, index, turnId)
  if (turn !== null) return { page: pageOfParts(turn, range, head.revision), rows: [] }
  const counted = countsOf(row)[range.list]
  const { first, end } = resolvePartRange(range, counted)
  const rows = partRows(connection, { row, session, list: listCodes[range.list], counted, first, end })
  if (rows.length !== end - first) throw damaged(`parts of turn ${index} are missing`)
  return { page: { parts: [], firstIndex: first, count: counted, revision: head.revision }, rows }
}

interface PartSpan {
  readonly row: Row
  readonly session: number
  readonly list: number
  readonly counted: number
  readonly first: number
  readonly end: number
}

function partRows(connection: Connection, { row, session, list, counted, first, end }: PartSpan): Row[] {
  if (first === end) return []
  const [seq, turn] = [count(row, 'seq'), count(row, 'turn')]
  const places = Number(connection.value(sql.endOfParts, turn, list))
  if (places < counted) return []
  if (places === counted) return connection.all(sql.partsAt, seq, turn, list, session, first, end)
  // Gaps: a place is not an index.
  const [read, passed] = first <= counted - end ? [sql.partsAfter, first] : [sql.partsBefore, counted - end]
  return connection.all(read, seq, turn, list, end - first, passed, session)
}
