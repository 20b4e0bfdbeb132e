import { isValidId, digestOf } from '@turnstore/core/adapter'
import type { JsonValue } from '@turnstore/core'
import { type Message, type Part } from './message.js'

/** The part of a call of a tool. */
export type ToolPart = Part & { toolCallId: string }

/** How a call ended. */
export type Outcome = { readonly output: JsonValue } | { readonly errorText: string }

export function isToolPart(part: Part): part is ToolPart {
  return (part.type === 'dynamic-tool' || part.type.startsWith('tool-')) && typeof part.toolCallId === 'string'
}

export function toolNameOf({ type, toolName }: ToolPart): string {
  if (type !== 'dynamic-tool') return type.slice('tool-'.length)
  return typeof toolName === 'string' ? toolName : ''
}

export function toolPart(toolCallId: string, toolName: string, input: JsonValue, isDynamic: boolean): ToolPart {
  const call = { toolCallId, state: 'input-available', input }
  return isDynamic ? { type: 'dynamic-tool', toolName, ...call } : { type: `tool-${toolName}`, ...call }
}

export function withOutcome(part: ToolPart, outcome: Outcome): ToolPart {
  const { preliminary: _preliminary, output: _output, errorText: _errorText, ...others } = part
  return 'output' in outcome
    ? { ...others, type: part.type, toolCallId: part.toolCallId, state: 'output-available', output: outcome.output }
    : { ...others, type: part.type, toolCallId: part.toolCallId, state: 'output-error', errorText: outcome.errorText }
}

/** The outcome that an answered part has. */
export function outcomeOf({ output = null, errorText }: ToolPart): Outcome {
  return typeof errorText === 'string' ? { errorText } : { output }
}

/** Whether the call has its result. */
export function isAnswered({ state, preliminary }: Part): boolean {
  return (state === 'output-available' && preliminary !== true) || state === 'output-error' || state === 'output-denied'
}

/** The id of the record of a call. */
export function callIdOf(toolCallId: string): string {
  return isValidId(toolCallId) ? toolCallId : digestOf(toolCallId)
}

/** The parts of a message, or of the answer that a message is. */
export function mapToolParts<M extends Message>(message: M, change: (part: ToolPart) => Part | null): M {
  const parts = message.parts.flatMap(part => {
    const changed = isToolPart(part) ? change(part) : part
    return changed === null ? [] : [changed]
  })
  const isSame = parts.length === message.parts.length && parts.every((part, index) => part === message.parts[index])
  return isSame ? message : { ...message, parts }
}
