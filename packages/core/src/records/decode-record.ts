import { TurnstoreError } from '../basics/errors.js'
import type { Label, Members } from './members.js'
import {
  type AgentTransitionRecord,
  SCHEMA_VERSION,
  type SessionRecord,
  type ToolCallRecord,
  type TurnItem,
  type TurnRecord,
} from './models.js'
import {
  readItem,
  readSession,
  readToolCall,
  readTransition,
  readTurn,
  schemaVersionName,
  sessionNames,
} from './read-record.js'
import { wireMembers } from './wire-members.js'

/**
 * Decodes a turn from the wire format. The result shares JSON values with the source.
 * @throws `INVALID_RECORD` with the path, never the value
 */
export function decodeTurn(source: unknown, what: Label = 'turn'): TurnRecord {
  return readTurn(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeToolCall(source: unknown, what = 'tool_call'): ToolCallRecord {
  return readToolCall(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeItem(source: unknown, what = 'item'): TurnItem {
  return readItem(wireMembers(source, what))
}

/** @throws `INVALID_RECORD` */
export function decodeTransition(source: unknown, what: Label = 'agent_transition'): AgentTransitionRecord {
  return readTransition(wireMembers(source, what))
}

/**
 * Decodes a session from the wire format, also as the reference writes it. Missing keys get their defaults,
 * unknown keys are kept in `extra`. The result shares JSON values with the source.
 *
 * @throws `INVALID_RECORD` with the path, never the value; `SCHEMA_TOO_NEW`
 */
export function decodeSession(source: unknown, what = 'session'): SessionRecord {
  const members = wireMembers(source, what)
  checkSchemaVersion(members)
  const session = readSession(
    members,
    members.items(sessionNames.turns).map(({ source: turn, what: place }) => decodeTurn(turn, place)),
    members
      .items(sessionNames.agentTransitions)
      .map(({ source: transition, what: place }) => decodeTransition(transition, place)),
    members.object(sessionNames.metadata),
  )
  if (!Number.isSafeInteger(session.revision) || session.revision < 1) {
    members.fail(sessionNames.revision, 'must be a whole number of at least 1')
  }
  // The reference writes '' for a session without a workspace.
  if (session.workspaceId === '') session.workspaceId = null
  return session
}

/** Must run first: the other checks do not apply to a newer format. */
function checkSchemaVersion(members: Members): void {
  const version = members.numberOrNull(schemaVersionName) ?? SCHEMA_VERSION
  if (version > SCHEMA_VERSION) {
    throw new TurnstoreError(
      'SCHEMA_TOO_NEW',
      `This session has format version ${version}; this version of Turnstore reads up to version ${SCHEMA_VERSION}. Upgrade Turnstore`,
    )
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    members.fail(schemaVersionName, 'must be a whole number of at least 1')
  }
}
