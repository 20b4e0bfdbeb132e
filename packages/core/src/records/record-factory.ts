import { checkOwnMembers } from './input-members.js'
import type { Limits } from './limits.js'
import { asObject, type Shape } from './members.js'
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
import { checkMembers } from '../basics/arguments.js'
import { sessionShape, toolCallShape, transitionShape, turnShape } from './read-record.js'
import { fillPartIds, readSessionInput, readToolCallInput, readTransitionInput, readTurnInput } from './record-input.js'
import { currentTime, randomId } from '../basics/runtime.js'

/** Sources of times and ids, for example for tests. */
export interface FactoryOptions {
  /** Returns the current time in ISO 8601. */
  now?: () => string
  /** Returns a new unique id. */
  newId?: () => string
}

/** Fills in the ids, times and defaults of records, and enforces limits. */
export class RecordFactory {
  readonly now: () => string
  readonly newId: () => string
  readonly #limits: Limits

  /** @throws `INVALID_ARGUMENT` */
  constructor(options: FactoryOptions, limits: Limits) {
    checkMembers(options, 'options', ['now', 'newId'])
    const { now = currentTime, newId = randomId } = options
    this.now = now
    this.newId = newId
    this.#limits = limits
  }

  session(input: Omit<SessionInput, 'sessionId'> & { sessionId?: string }): SessionRecord {
    checkRecord(input, 'session', sessionShape)
    const createdAt = input.createdAt ?? this.now()
    return readSessionInput(
      {
        ...input,
        sessionId: input.sessionId ?? this.newId(),
        createdAt,
        updatedAt: input.updatedAt ?? createdAt,
      },
      this.#limits,
    )
  }

  turn(input: TurnInput): TurnRecord {
    return fillPartIds(readTurnInput(this.turnInput(input), this.#limits))
  }

  /** The same before it is checked and copied, which a store does. */
  turnInput(input: TurnInput, newId: () => string = this.newId): TurnInput & Pick<TurnRecord, 'turnId'> {
    checkRecord(input, 'turn', turnShape)
    const time = this.now()
    const ended = input.status === 'running' ? null : time
    return {
      ...input,
      turnId: input.turnId ?? newId(),
      startedAt: input.startedAt ?? time,
      endedAt: input.endedAt === undefined ? ended : input.endedAt,
    }
  }

  toolCall(input: ToolCallInput): ToolCallRecord {
    return readToolCallInput(input, this.#limits, 'toolCall', this.newId)
  }

  /** The same before it is checked and copied, which a store does. */
  toolCallInput(
    input: ToolCallInput,
    newId: () => string = this.newId,
  ): ToolCallInput & Pick<ToolCallRecord, 'callId'> {
    checkRecord(input, 'toolCall', toolCallShape)
    return { ...input, callId: input.callId === undefined || input.callId === '' ? newId() : input.callId }
  }

  agentTransition(input: AgentTransitionInput, newId: () => string = this.newId): AgentTransitionRecord {
    checkRecord(input, 'agentTransition', transitionShape)
    return readTransitionInput(
      {
        ...input,
        transitionId: input.transitionId === undefined ? newId() : input.transitionId,
        timestamp: input.timestamp ?? this.now(),
      },
      this.#limits,
      'agentTransition',
    )
  }
}

/** Must run before the input is spread, because spreading turns anything into a plain object. */
function checkRecord(input: unknown, what: string, shape: Shape): void {
  checkOwnMembers(asObject(input, what), what, shape)
}
