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
 * Creates a complete session record. Fills in a random id, times and defaults. The result shares no objects
 * with the input. All factories enforce `defaultLimits`.
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
 * Creates a complete turn record. Default: a random id, and both times set to now. A `running` turn has no
 * end time. A tool call without an id gets `turnId:index`.
 * @throws `INVALID_RECORD`
 *
 * @example
 * createTurn({ prompt: 'Where is my parcel?', responseContent: 'At the depot.' })
 */
export function createTurn(input: TurnInput = {}, options: FactoryOptions = {}): TurnRecord {
  return new RecordFactory(options, defaultLimits).turn(input)
}

/** Creates a complete tool call record. Default: a random id. @throws `INVALID_RECORD` */
export function createToolCall(input: ToolCallInput, options: FactoryOptions = {}): ToolCallRecord {
  return new RecordFactory(options, defaultLimits).toolCall(input)
}

/**
 * Creates a complete agent transition record. Default: a random id, which makes recording it safe to retry,
 * and the current time.
 * @throws `INVALID_RECORD`
 */
export function createAgentTransition(
  input: AgentTransitionInput,
  options: FactoryOptions = {},
): AgentTransitionRecord {
  return new RecordFactory(options, defaultLimits).agentTransition(input)
}
