import { isDeepStrictEqual } from 'node:util'
import { type ChatMessage, messagesFromTurns, type TurnRecord } from '@turnstore/core'
import { hasOtherSystems, isSystem, layoutIn, withKept, withLayout, withoutLayout, withResults } from './layout.js'
import { type Contradict, filled, furtherOf, isBeginningOf, isOpen, lacks, unitedObjects } from './members.js'

type Said = Pick<TurnRecord, 'responseContent' | 'metadata'>

/**
 * Joins what two stages of a turn say: the response, and the order of all messages where they do not lie as usual.
 * `mayGrow`: messages that follow those of the target are growth. `beside`: what was joined already.
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
    return { responseContent: plain(), metadata: unitedObjects(stored.metadata, incoming.metadata, metadataContradicts) }
  }

  const metadata = unitedObjects(
    withoutLayout(stored.metadata),
    withoutLayout(incoming.metadata),
    metadataContradicts,
  )
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
  // Where the messages of one side lie as usual, nothing says that they are others.
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
  // With what else has come, the turn may say all that the other does.
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

/** A layout may hold the parts of a response by their lengths: of another text it would show none of them. */
function responseThatFits(stored: TurnRecord, responseContent: string | null): string | null {
  const isFitting = begins(saidIn(stored), saidIn({ ...stored, responseContent }), true)
  return isFitting ? responseContent : stored.responseContent
}

/** Whether a layout that comes can be taken for a turn that has none: it names calls by their place. */
function fits(stored: TurnRecord, incoming: TurnRecord): boolean {
  const hasOtherResponse =
    !lacks(stored.responseContent) &&
    !lacks(incoming.responseContent) &&
    stored.responseContent !== incoming.responseContent
  return !hasOtherResponse && stored.toolCalls.every((call, index) => call.callId === incoming.toolCalls[index]?.callId)
}

/** Which of two stages says what the other does, and more. */
function relate(stored: TurnRecord, incoming: TurnRecord, mayGrow: boolean): 'later' | 'earlier' | 'other' {
  const before = saidIn(stored)
  const after = saidIn(incoming)
  if (begins(after, before, true)) return 'earlier'
  return begins(before, after, mayGrow) && (mayGrow || isSameBesideSystems(before, after)) ? 'later' : 'other'
}

/** The messages of a turn without what is merged by itself: the results of calls, the texts of system messages. */
function saidIn(turn: TurnRecord): ChatMessage[] {
  const toolCalls = turn.toolCalls.map(call => ({ ...call, result: null, error: null, status: 'running' }))
  return messagesFromTurns([{ ...turn, toolCalls }])
    .filter(({ role }) => role !== 'tool')
    .map(message => (isSystem(message.role) ? { role: 'system', content: '' } : message))
}

/** Whether messages are the beginning of others; the last of them, where `mayGrow`, in part. */
function begins(before: readonly ChatMessage[], after: readonly ChatMessage[], mayGrow: boolean): boolean {
  const others = hasSystem(before) ? after : after.filter(({ role }) => role !== 'system')
  return before.every((message, index) => {
    const isLast = index === before.length - 1
    return (
      isDeepStrictEqual(message, others[index]) || (isLast && mayGrow && isBeginningOf(message, others[index]))
    )
  })
}

/** Where the target has no system message at all, one that comes is an addition whatever follows the turn. */
function isSameBesideSystems(before: readonly ChatMessage[], after: readonly ChatMessage[]): boolean {
  return !hasSystem(before) && before.length === after.filter(({ role }) => role !== 'system').length
}

function hasSystem(messages: readonly ChatMessage[]): boolean {
  return messages.some(({ role }) => role === 'system')
}
