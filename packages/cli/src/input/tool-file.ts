import { createSession, type MessageProblem, type SessionRecord } from '@turnstore/core'
import { isValidId } from '@turnstore/core/adapter'
import { type Format, recognize } from '@turnstore/formats'
import { Failure } from '../terminal/cli.js'
import { count, figure } from '../terminal/figure.js'
import { describeProblems } from './message-problems.js'
import type { RecordSource } from './record-source.js'
import { timesOf } from './session-times.js'
import { isSessionRecord } from './transcript.js'

/** The sessions of a file of another tool. */
export interface ToolFile {
  readonly sessions: readonly SessionRecord[]
  /** One sentence per kind of problem, the greatest loss first. */
  readonly problems: readonly string[]
}

/** How a file of another tool is read. */
interface Reading {
  readonly source: RecordSource
  /** Undefined to recognize it. */
  readonly format: Format | undefined
  readonly workspaceId: string | undefined
}

/**
 * Reads a whole file of another tool, or a bare list of messages.
 *
 * @param values the values of its lines, or of its array, or the one that it is
 * @throws {Failure} if it mixes formats, or has none that is known; the message is meant to follow the file's name
 */
export function readToolFile(values: readonly unknown[], { source, format, workspaceId }: Reading): ToolFile {
  const records = values.filter(isSessionRecord).length
  if (records > 0) {
    throw new Failure(
      `mixes ${figure(values.length - records)} messages or lines of a tool with ${count(records, 'session')}; ${nothing}`,
    )
  }
  const problems: (MessageProblem & { session: number })[] = []
  const conversations = (format ?? formatOf(values)).toSessions(values, {
    onProblem: problem => problems.push(problem),
  })
  const sessions = conversations.map((conversation, index) => {
    const { sessionId, parentSessionId, createdAt, updatedAt, metadata, turns } = conversation
    const isNamed = sessionId !== null && isValidId(sessionId)
    return createSession({
      sessionId: isNamed ? sessionId : source.nameOf({ json: values, place: index + 1 }),
      parentSessionId: parentSessionId !== null && isValidId(parentSessionId) ? parentSessionId : null,
      workspaceId: workspaceId ?? null,
      ...timesOf(turns, createdAt || undefined, updatedAt || undefined),
      metadata,
      turns,
    })
  })
  const total = conversations.reduce(
    (sum, { turns }) => turns.reduce((count, { items }) => count + items.length, sum),
    0,
  )
  const [first] = sessions
  const placeOf = ({ session, index }: MessageProblem & { session: number }): string => {
    const { sessionId = '' } = sessions[session] ?? {}
    return sessions.length === 1 && first !== undefined ? `messages[${index}]` : `messages[${index}] of ${sessionId}`
  }
  return { sessions, problems: describeProblems(problems, total, placeOf) }
}

const nothing = 'nothing of it was imported'

function formatOf(values: readonly unknown[]): Format {
  const found = recognize(values)
  if ('format' in found) return found.format
  throw new Failure(`${found.problem}; ${nothing}. To choose a format, use --format`)
}
