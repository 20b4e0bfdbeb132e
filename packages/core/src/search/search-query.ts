import { readObject } from '../basics/arguments.js'
import { TurnstoreError } from '../basics/errors.js'
import { isValidId } from '../basics/ids.js'
import type { JsonObject } from '../basics/json.js'
import { fingerprint } from '../basics/text.js'
import { sealOf } from '../queries/cursor.js'
import type { DamagedSession } from '../queries/page.js'
import type { Position } from '../queries/position.js'
import { type CheckedQuery, queryMembers, readQuery, type SessionQuery } from '../queries/query.js'
import type { SessionSummary } from '../records/models.js'
import { readTerms, type Terms } from './terms.js'
import type { SearchField } from './turn-match.js'

/** What to search for, and in which sessions. */
export interface SearchQuery extends Omit<SessionQuery, 'orderBy' | 'order'> {
  /**
   * Words, and "phrases" in double quotes. A turn matches if it has each of them in its prompt, its response, the name of
   * a tool, a value in the arguments or the result of a call, or its error. Upper case and lower case are the same, and so
   * are the ways in which Unicode writes a character.
   */
  text: string
}

/** One turn that matches. */
export interface SearchHit<Metadata = JsonObject> {
  session: SessionSummary<Metadata>
  turnId: string
  /** Where the turn has the first word or phrase. */
  field: SearchField
  /** The text around it, as it is stored. */
  snippet: string
  /** Where the snippet has words or phrases: UTF-16 offsets, `[start, end)`. */
  ranges: [start: number, end: number][]
}

/** A page of hits, the latest sessions first. A page may be short or even empty. Only `cursor: null` marks the end. */
export interface SearchPage<Metadata = JsonObject> {
  hits: SearchHit<Metadata>[]
  cursor: string | null
  /** Damaged sessions in the scope of the query. The others are searched. */
  damaged?: DamagedSession[]
}

export interface CheckedSearch {
  readonly terms: Terms
  /** Which sessions. Its position is that of `from`. */
  readonly sessions: CheckedQuery
  /** Where the last page stopped within a session. */
  readonly from: SearchPosition | null
}

/** A place in the sessions: a turn, and within it a tool call. */
export interface SearchPosition {
  /** Of the session as it was met. */
  readonly session: Position
  /** The index of the next turn; null if the session is done. */
  readonly turn: number | null
  /** The next of its tool calls. */
  readonly call: number
  /** What was found in its head and in the calls before. */
  readonly found: number
  /** Where the first term is: the field, and the call. Null if it is not found yet. */
  readonly first: { readonly field: SearchField; readonly call: number } | null
}

export const searchMembers: readonly string[] = [
  'text',
  ...queryMembers.filter(name => name !== 'orderBy' && name !== 'order'),
]

/** @throws `INVALID_ARGUMENT`, `INVALID_ID` */
export function readSearch(source: unknown): CheckedSearch {
  const { text, cursor, ...query } = readObject(source, 'query', searchMembers)
  const terms = readTerms(text, 'query.text')
  const sessions = readQuery(query)
  if (cursor === undefined) return { terms, sessions, from: null }
  const from = typeof cursor === 'string' ? readPosition(cursor) : null
  if (from === null || cursor !== searchCursor(from, terms, sessions)) {
    throw new TurnstoreError(
      'INVALID_ARGUMENT',
      'query.cursor must come from a page of the same query; omit it for the first page',
    )
  }
  return { terms, sessions: { ...sessions, after: from.session }, from }
}

const fields: readonly SearchField[] = ['prompt', 'responseContent', 'toolName', 'arguments', 'result', 'error']

/** As the cursor of a query, with the place inside the session. */
export function searchCursor(position: SearchPosition, { folded }: Terms, sessions: CheckedQuery): string {
  const { session, turn, call, found, first } = position
  const inside = turn === null ? '' : [turn, call, found, first === null ? '' : fields.indexOf(first.field)].join('-')
  const rest = `${session.time}.${inside}${first === null ? '' : `-${first.call}`}.${encodeURIComponent(session.sessionId)}`
  return `${fingerprint(JSON.stringify([sealOf(session, sessions), folded, rest]))}.${rest}`
}

function readPosition(cursor: string): SearchPosition | null {
  const rest = cursor.slice(17)
  // As in the cursor of a query. After the time comes the place inside the session, and then its id.
  const time = rest.startsWith('.') ? '' : rest.slice(0, 27)
  const [, inside = '', id = ''] = /^\.([-\d]*)\.(.*)$/su.exec(rest.slice(time.length)) ?? []
  const [turn, call = '0', found = '0', field = '', firstCall = '0'] = inside === '' ? [] : inside.split('-')
  const first = field === '' ? undefined : fields[Number(field)]
  try {
    const sessionId = decodeURIComponent(id)
    if (!isValidId(sessionId)) return null
    return {
      session: { time, sessionId },
      turn: turn === undefined ? null : Number(turn),
      call: Number(call),
      found: Number(found),
      first: first === undefined ? null : { field: first, call: Number(firstCall) },
    }
  } catch {
    return null
  }
}
