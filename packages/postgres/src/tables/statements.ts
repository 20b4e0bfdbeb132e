import type { Place } from '../server/place.js'
import { named } from './names.js'

/** The calls of the functions in the database, for tables in one place. */
export interface Statements {
  readonly readTurns: string
  readonly readSession: string
  readonly readParts: string
  readonly lookUp: string
  readonly write: string
  /** `FROM` the sessions `s`, with the columns that `summaryOfRow` takes. */
  readonly sessions: string
  readonly withLastTurn: string
}

export function statementsIn(place: Place): Statements {
  const call = (name: string, parameters: number): string =>
    `${named(place, name)}(${Array.from({ length: parameters }, (_, index) => `$${index + 1}`).join(', ')})`
  const [sessions, turns, lastTurn] = ['sessions', 'turns', 'last_turn_1'].map(name => named(place, name))
  return {
    readTurns: `SELECT * FROM ${call('read_turns_1', 8)}`,
    readSession: `SELECT * FROM ${call('read_session_1', 3)}`,
    readParts: `SELECT * FROM ${call('read_parts_1', 8)}`,
    lookUp: `SELECT * FROM ${call('look_up_1', 14)}`,
    write: `SELECT ${call('write_1', 9)} AS result`,
    sessions: `${sessions} AS s`,
    withLastTurn: `LEFT JOIN ${turns} AS l ON l.session = s.id AND l.seq = s.turn_count - 1
      LEFT JOIN LATERAL ${lastTurn}(l.body) AS f ON true`,
  }
}
