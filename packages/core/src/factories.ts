import { defaultLimits } from './limits.js'
import { invalidRecord } from './members.js'
import type {
  AgentTransitionInput,
  AgentTransitionRecord,
  SessionInput,
  SessionRecord,
  ToolCallInput,
  ToolCallRecord,
  TurnInput,
  TurnRecord,
} from './models.js'
import { readSessionInput, readToolCallInput, readTransitionInput, readTurnInput } from './record-input.js'
import { randomId } from './runtime.js'

/** Where factories take times and ids from; the manager hands in its own. */
export interface FactoryOptions {
  now?: () => string
  newId?: () => string
}

const currentTime = (): string => new Date().toISOString()

/**
 * A whole session record out of what is known of it: an id, the times and the defaults are filled in.
 * The result shares nothing with its input.
 * @throws `INVALID_RECORD`, `INVALID_ID`
 *
 * @example
 * await store.saveSession(createSession({ workspaceId: 'acme', turns: [{ turnId: 't1', prompt: 'Hello' }] }))
 */
export function createSession(
  input: Omit<SessionInput, 'sessionId'> & { sessionId?: string } = {},
  { now = currentTime, newId = randomId }: FactoryOptions = {},
): SessionRecord {
  checkRecord(input, 'session')
  const createdAt = input.createdAt ?? now()
  return readSessionInput(
    { ...input, sessionId: input.sessionId ?? newId(), createdAt, updatedAt: input.updatedAt ?? createdAt },
    defaultLimits,
  )
}

/**
 * A whole turn record. Without an id it gets a random one, without times it starts now and, unless it
 * is `running`, ends now. A tool call without an id gets `turnId:index`.
 * @throws `INVALID_RECORD`
 *
 * @example
 * createTurn({ prompt: 'Where is my parcel?', responseContent: 'At the depot.' })
 */
export function createTurn(
  input: TurnInput = {},
  { now = currentTime, newId = randomId }: FactoryOptions = {},
): TurnRecord {
  checkRecord(input, 'turn')
  const time = now()
  const ended = input.status === 'running' ? null : time
  return readTurnInput(
    {
      ...input,
      turnId: input.turnId ?? newId(),
      startedAt: input.startedAt ?? time,
      endedAt: input.endedAt === undefined ? ended : input.endedAt,
    },
    defaultLimits,
  )
}

/** A whole tool call record, with a random id where it has none. @throws `INVALID_RECORD` */
export function createToolCall(input: ToolCallInput, { newId = randomId }: FactoryOptions = {}): ToolCallRecord {
  return readToolCallInput(input, defaultLimits, 'toolCall', newId)
}

/**
 * A whole record of one agent handing over to another. It gets an id, so that recording it may be
 * retried, and the present time.
 * @throws `INVALID_RECORD`
 */
export function createAgentTransition(
  input: AgentTransitionInput,
  { now = currentTime, newId = randomId }: FactoryOptions = {},
): AgentTransitionRecord {
  checkRecord(input, 'agentTransition')
  return readTransitionInput(
    {
      ...input,
      transitionId: input.transitionId === undefined ? newId() : input.transitionId,
      timestamp: input.timestamp ?? now(),
    },
    defaultLimits,
    'agentTransition',
  )
}

function checkRecord(input: unknown, what: string): void {
  if (typeof input !== 'object' || input === null) throw invalidRecord(what, 'must be an object')
}
