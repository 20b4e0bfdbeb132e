import type { TurnItem, TurnRecord } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { withDenials } from '../messages/denials.js'
import { FORMAT, isMessage, type Message, type Part } from '../messages/message.js'
import { isAnswered, isToolPart, mapToolParts, outcomeOf, withOutcome } from '../messages/tool-part.js'
import { messagesOfOthers } from '../messages/turns.js'
import { begunCall, type BegunCall } from './begun-call.js'
import { isStepId, markOf } from './run-mark.js'

/** A turn as messages: a user message, and what answers it. */
export interface Exchange {
  readonly turn: TurnRecord
  readonly messages: readonly Message[]
}

export function exchangeOf(turn: TurnRecord): Exchange {
  return { turn, messages: isOwn(turn) ? ownMessages(turn) : messagesOfOthers(turn) }
}

/** The items of a turn with messages, and with steps of a run. */
export function ownItems(turn: TurnRecord): { itemId: string; value: Message }[] {
  return turn.items.flatMap(({ itemId, value, format }) =>
    format === FORMAT && isJsonObject(value) && isMessage(value) ? [{ itemId, value }] : [],
  )
}

/** Without the steps. */
export function messageItems(turn: TurnRecord): { itemId: string; value: Message }[] {
  return ownItems(turn).filter(({ itemId }) => !isStepId(itemId))
}

/** The calls that a run began, by the ids that the SDK knows. */
export function begunCalls(turn: TurnRecord): Map<string, BegunCall> {
  const begun = turn.toolCalls.map(begunCall).filter(call => call !== null)
  return new Map(begun.map(call => [call.part.toolCallId, call]))
}

/** Whether a run has stored something that is no message yet. */
export function isAhead(turn: TurnRecord): boolean {
  return turn.items.some(({ itemId }) => isStepId(itemId)) || turn.toolCalls.some(call => begunCall(call) !== null)
}

/** Whether the items of a turn are all messages of this version of the SDK. */
export function isOwn({ items }: TurnRecord): boolean {
  return items.length > 0 && items.every(isOwnItem)
}

function isOwnItem({ format, value }: TurnItem): boolean {
  return format === FORMAT && isJsonObject(value) && isMessage(value)
}

/** The messages as they were saved. What a run has stored since stands in the last one. */
function ownMessages(turn: TurnRecord): Message[] {
  const messages = messageItems(turn).map(({ value }) => value)
  if (!isAhead(turn)) return messages
  const begun = begunCalls(turn)
  const messageId = markOf(turn)?.messageId ?? turn.turnId
  const last = messages.at(-1)
  const answered: Message =
    last?.role === 'assistant' && last.id === messageId
      ? (messages.pop() ?? last)
      : { id: messageId, role: 'assistant', parts: [] }
  const parts = [...answered.parts, ...stepParts(turn)]
  const all = [...messages.flatMap(message => message.parts), ...parts]
  const placed = new Set(all.filter(isToolPart).map(({ toolCallId }) => toolCallId))
  const others = [...begun.values()].map(({ part }) => part).filter(({ toolCallId }) => !placed.has(toolCallId))
  const unplaced: Part[] = others.length === 0 ? [] : [{ type: 'step-start' }, ...others]
  const whole = withDenials({ ...answered, parts: [...parts, ...unplaced] })
  return [...messages, ...(whole.parts.length === 0 ? [] : [whole])].map(message => withOutcomes(message, begun))
}

function stepParts(turn: TurnRecord): Part[] {
  return ownItems(turn).flatMap(({ itemId, value }) => (isStepId(itemId) ? value.parts : []))
}

/** The message with the outcomes of its calls that are recorded beside it. */
export function withOutcomes(message: Message, begun: ReadonlyMap<string, BegunCall>): Message {
  return mapToolParts(message, part => {
    const call = begun.get(part.toolCallId)
    if (call?.isAnswered !== true || isAnswered(part)) return part
    const { resultProviderMetadata: metadata } = call.part
    const answered = withOutcome(part, outcomeOf(call.part))
    return metadata === undefined ? answered : { ...answered, resultProviderMetadata: metadata }
  })
}
