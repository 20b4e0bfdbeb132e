import { isDeepStrictEqual } from 'node:util'
import { type ChatMessage, messagesFromTurns, type TurnRecord } from '@turnstore/core'
import { hasOtherSystems, isSystem, layoutIn, withKept, withLayout, withoutLayout, withResults } from './layout.js'
import { type Contradict, filled, furtherOf, isBeginningOf, isOpen, lacks, unitedObjects } from './members.js'

type Said = Pick<TurnRecord, 'responseContent' | 'metadata'>

/**
 * Merges the response of two stages of a turn, and the layout of its messages if it is not the default.
 * `mayGrow`: messages after those of the target count as growth. `beside`: members that are merged already.
 */
export function mergeSaid(
  stored: TurnRecord,
  incoming: TurnRecord,
  beside: Pick<TurnRecord, 'prompt' | 'toolCalls'>,
  mayGrow: boolean,
  contradict: Contradict,
): Said {
  const before = layoutIn(stored)
  const after = layoutIn(incoming)
  const plain = (): string | null => mergeResponse(stored, incoming, mayGrow, () => contradict('its response'))
  const metadataContradicts = (): void => contradict('its metadata')
  if (before === null || after === null) {
    return {
      responseContent: plain(),
      metadata: unitedObjects(stored.metadata, incoming.metadata, metadataContradicts),
    }
  }

  const metadata = unitedObjects(withoutLayout(stored.metadata), withoutLayout(incoming.metadata), metadataContradicts)
  if (isDeepStrictEqual(before, after)) return { responseContent: plain(), metadata: withLayout(metadata, before) }

  const relation = relate(stored, incoming, mayGrow)
  if (relation !== 'other' && hasOtherSystems(before ?? [], after ?? [])) contradict('its system messages')
  if (relation === 'later') {
    const layout = after === undefined ? undefined : withKept(after, before ?? [])
    return {
      responseContent: mayGrow ? incoming.responseContent : stored.responseContent,
      metadata: withLayout(metadata, layout),
    }
  }
  if (relation === 'earlier') {
    const layout = before === undefined || after === undefined ? before : withResults(before, after)
    return { responseContent: stored.responseContent, metadata: withLayout(metadata, layout) }
  }
  // A side without a layout does not contradict the other.
  if (after === undefined) {
    return { responseContent: responseThatFits(stored, plain()), metadata: withLayout(metadata, before) }
  }
  if (before === undefined && fits(stored, incoming)) {
    return { responseContent: plain(), metadata: withLayout(metadata, after) }
  }
  const said = {
    responseContent: responseThatFits(stored, filled(stored.responseContent, incoming.responseContent)),
    metadata: withLayout(metadata, before),
  }
  const joined = { ...stored, ...beside, ...said }
  // With the merged members, the turn may now include all that the other says.
  if (!isDeepStrictEqual(joined, stored)) return mergeSaid(joined, incoming, beside, mayGrow, contradict)
  contradict('its messages')
  return said
}

function mergeResponse(
  stored: TurnRecord,
  incoming: TurnRecord,
  mayGrow: boolean,
  contradict: () => void,
): string | null {
  const isPassing = isOpen(incoming) || (lacks(incoming.startedAt) && lacks(incoming.endedAt))
  const further = furtherOf(
    { value: stored.responseContent, isOpen: mayGrow },
    { value: incoming.responseContent, isOpen: isPassing },
  )
  if (further === undefined) contradict()
  return further ?? stored.responseContent
}

/** A layout may split the response by length, so it fits only a response that starts with the same text. */
function responseThatFits(stored: TurnRecord, responseContent: string | null): string | null {
  const isFitting = begins(saidIn(stored), saidIn({ ...stored, responseContent }), true)
  return isFitting ? responseContent : stored.responseContent
}

/** Whether an incoming layout fits a turn that has none. Layouts refer to calls by position. */
function fits(stored: TurnRecord, incoming: TurnRecord): boolean {
  const hasOtherResponse =
    !lacks(stored.responseContent) &&
    !lacks(incoming.responseContent) &&
    stored.responseContent !== incoming.responseContent
  return !hasOtherResponse && stored.toolCalls.every((call, index) => call.callId === incoming.toolCalls[index]?.callId)
}

/** Which of two stages includes the other. */
function relate(stored: TurnRecord, incoming: TurnRecord, mayGrow: boolean): 'later' | 'earlier' | 'other' {
  const before = saidIn(stored)
  const after = saidIn(incoming)
  if (begins(after, before, true)) return 'earlier'
  return begins(before, after, mayGrow) && (mayGrow || isSameBesideSystems(before, after)) ? 'later' : 'other'
}

/** The messages of a turn without what is merged separately: results of calls and system messages. */
function saidIn(turn: TurnRecord): ChatMessage[] {
  const toolCalls = turn.toolCalls.map(call => ({ ...call, result: null, error: null, status: 'running' }))
  return messagesFromTurns([{ ...turn, toolCalls }])
    .filter(({ role }) => role !== 'tool')
    .map(message => (isSystem(message.role) ? { role: 'system', content: '' } : message))
}

/** Whether messages are a prefix of others. With `mayGrow`, the last one may itself be a prefix. */
function begins(before: readonly ChatMessage[], after: readonly ChatMessage[], mayGrow: boolean): boolean {
  const others = hasSystem(before) ? after : after.filter(({ role }) => role !== 'system')
  return before.every((message, index) => {
    const isLast = index === before.length - 1
    return isDeepStrictEqual(message, others[index]) || (isLast && mayGrow && isBeginningOf(message, others[index]))
  })
}

/** If the target has no system message, an incoming one is an addition, whatever follows the turn. */
function isSameBesideSystems(before: readonly ChatMessage[], after: readonly ChatMessage[]): boolean {
  return !hasSystem(before) && before.length === after.filter(({ role }) => role !== 'system').length
}

function hasSystem(messages: readonly ChatMessage[]): boolean {
  return messages.some(({ role }) => role === 'system')
}
