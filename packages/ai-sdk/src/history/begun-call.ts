import type { JsonObject, ToolCallInput, ToolCallRecord } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { FORMAT, isPart } from '../messages/message.js'
import { callIdOf, isToolPart, type Outcome, toolNameOf, type ToolPart, withOutcome } from '../messages/tool-part.js'

/*
 * A call that a run has begun is recorded before it begins, and its outcome when it ends: before the SDK gives the
 * message that holds it. The record keeps the part of the message in its metadata, without what the record has itself.
 */

export interface BegunCall {
  /** The part of the message, with the outcome if there is one. */
  readonly part: ToolPart
  readonly isAnswered: boolean
}

export function begunRecord(part: ToolPart, outcome?: Outcome, durationMs?: number): ToolCallInput {
  const { input = null, ...others } = part
  const hasArguments = isJsonObject(input)
  return {
    callId: callIdOf(part.toolCallId),
    toolName: toolNameOf(part),
    arguments: hasArguments ? input : {},
    ...resultOf(outcome),
    ...(durationMs === undefined ? {} : { durationMs }),
    metadata: { [FORMAT]: { part: hasArguments ? others : part } },
  }
}

function resultOf(outcome: Outcome | undefined): Pick<ToolCallRecord, 'status' | 'result' | 'error'> {
  if (outcome === undefined) return { status: 'running', result: null, error: null }
  return 'output' in outcome
    ? { status: 'success', result: outcome.output, error: null }
    : { status: 'error', result: null, error: outcome.errorText }
}

/** Null if the call was recorded with its message, or by others. */
export function begunCall({ metadata, arguments: input, status, result, error }: ToolCallRecord): BegunCall | null {
  const noted = metadata[FORMAT]
  if (!isJsonObject(noted) || !isPart(noted.part) || !isToolPart(noted.part)) return null
  const part: ToolPart = 'input' in noted.part ? noted.part : withInput(noted.part, input)
  if (status === 'running') return { part, isAnswered: false }
  const outcome: Outcome = status === 'success' ? { output: result } : { errorText: error ?? '' }
  return { part: withOutcome(part, outcome), isAnswered: true }
}

function withInput(part: ToolPart, input: JsonObject): ToolPart {
  return { ...part, input }
}
