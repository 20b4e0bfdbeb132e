import { defaultLimits } from './limits.js'
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
import { type FactoryOptions, RecordFactory } from './record-factory.js'

/**
 * A whole session record out of what is known of it: an id, the times and the defaults are filled in.
 * The result shares nothing with its input. All factories hold what they make to `defaultLimits`.
 * @throws `INVALID_RECORD`, `INVALID_ID`
 *
 * @example
 * await store.saveSession(createSession({ workspaceId: 'acme', turns: [{ turnId: 't1', prompt: 'Hello' }] }))
 */
export function createSession(
  input: Omit<SessionInput, 'sessionId'> & { sessionId?: string } = {},
  options: FactoryOptions = {},
): SessionRecord {
  return new RecordFactory(options, defaultLimits).session(input)
}

/**
 * A whole turn record. Without an id it gets a random one, without times it starts now and, unless it
 * is `running`, ends now. A tool call without an id gets `turnId:index`.
 * @throws `INVALID_RECORD`
 *
 * @example
 * createTurn({ prompt: 'Where is my parcel?', responseContent: 'At the depot.' })
 */
export function createTurn(input: TurnInput = {}, options: FactoryOptions = {}): TurnRecord {
  return new RecordFactory(options, defaultLimits).turn(input)
}

/** A whole tool call record, with a random id where it has none. @throws `INVALID_RECORD` */
export function createToolCall(input: ToolCallInput, options: FactoryOptions = {}): ToolCallRecord {
  return new RecordFactory(options, defaultLimits).toolCall(input)
}

/**
 * A whole record of one agent handing over to another. It gets an id, so that recording it may be
 * retried, and the present time.
 * @throws `INVALID_RECORD`
 */
export function createAgentTransition(
  input: AgentTransitionInput,
  options: FactoryOptions = {},
): AgentTransitionRecord {
  return new RecordFactory(options, defaultLimits).agentTransition(input)
}
