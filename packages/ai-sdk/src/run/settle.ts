import { INTERRUPTED_CALL } from '@turnstore/core/adapter'
import type { ToolSet } from 'ai'
import type { Wanted } from '../history/align.js'
import { begunCalls } from '../history/exchange.js'
import type { Message, Part } from '../messages/message.js'
import {
  isAnswered,
  isToolPart,
  mapToolParts,
  type Outcome,
  toolNameOf,
  type ToolPart,
  withOutcome,
} from '../messages/tool-part.js'

/** The calls of an exchange that nobody will answer any more. */
export function interruptedCalls({ before, messages }: Wanted, tools: ToolSet, isLast: boolean): ToolPart[] {
  const begun = before === null ? new Map<string, { isAnswered: boolean }>() : begunCalls(before.turn)
  return messages.flatMap(({ parts }) =>
    parts.filter(isToolPart).filter(part => {
      if (isAnswered(part)) return false
      if (begun.get(part.toolCallId)?.isAnswered === false) return true
      if (part.state === 'output-available') return true
      return part.state === 'input-available' && !(isLast && (isOfBrowser(part, tools) || isDeferred(part, tools)))
    }),
  )
}

/** The exchange with outcomes for these calls. Calls that the model had not written to the end are left out. */
export function settled(wanted: Wanted, outcomes: ReadonlyMap<string, Outcome>): Wanted {
  const messages = wanted.messages.map(message =>
    mapToolParts(message, part => {
      if (isAnswered(part)) return part
      const outcome = outcomes.get(part.toolCallId)
      if (outcome !== undefined) return withOutcome(part, outcome)
      return part.state === 'input-streaming' ? null : part
    }),
  )
  return messages.every((message, index) => message === wanted.messages[index]) ? wanted : { ...wanted, messages }
}

export function interrupted(calls: readonly ToolPart[]): Map<string, Outcome> {
  return new Map(calls.map(({ toolCallId }) => [toolCallId, { errorText: INTERRUPTED_CALL }]))
}

/** What an exchange needs next: the model, the user, or nothing. */
export function needOf(messages: readonly Message[]): 'model' | 'user' | null {
  const last = messages.at(-1)
  if (last === undefined) return null
  if (last.role !== 'assistant') return 'model'
  const calls = last.parts.filter(isToolPart)
  if (calls.some(part => part.state === 'approval-requested' || isOpen(part, false))) return 'user'
  const step = lastStepOf(messages)
  // The model has been told of the responses before its last step.
  if (step.some(part => isToolPart(part) && part.state === 'approval-responded')) return 'model'
  return step.length === 0 || step.some(isCallOfHere) || step.some(part => isOpen(part, true)) ? 'model' : null
}

/** Whether a call has no result yet, of a tool that the provider executes or that it does not. */
function isOpen(part: Part, isOfProvider: boolean): boolean {
  return isToolPart(part) && part.state === 'input-available' && (part.providerExecuted === true) === isOfProvider
}

/** What the model said last. */
export function lastStepOf(messages: readonly Message[]): Part[] {
  const parts = messages.at(-1)?.parts ?? []
  return parts.slice(parts.findLastIndex(({ type }) => type === 'step-start') + 1)
}

function isCallOfHere(part: Part): boolean {
  return isToolPart(part) && part.providerExecuted !== true
}

/** Whether a tool has no function here: the browser answers its calls. */
function isOfBrowser(part: ToolPart, tools: ToolSet): boolean {
  const name = toolNameOf(part)
  return part.providerExecuted !== true && Object.hasOwn(tools, name) && tools[name]?.execute === undefined
}

/** Whether the provider may give the result in a later step. */
function isDeferred(part: ToolPart, tools: ToolSet): boolean {
  const name = toolNameOf(part)
  const tool = part.providerExecuted === true && Object.hasOwn(tools, name) ? tools[name] : undefined
  return tool?.type === 'provider' && tool.supportsDeferredResults === true
}
