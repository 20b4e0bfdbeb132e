import { checkMembers, readFlag } from '../basics/arguments.js'
import { TurnstoreError } from '../basics/errors.js'
import type { JsonObject } from '../basics/json.js'
import type { TurnRecord } from '../records/models.js'
import type { ChatMessage } from './chat-message.js'
import { exactMessages } from './exact-messages.js'
import { sendableCallId, sendableMessages, type SendableOptions } from './sendable-messages.js'

export interface MessagesOptions {
  /** Return the messages exactly as they were recorded, instead of what a model takes. */
  exact?: boolean
  /**
   * What to do with the response of a turn that is running or interrupted, unless an item holds it: it may be half an
   * answer. Default: `drop`.
   */
  incomplete?: 'drop' | 'keep'
  /** Makes the id of a call out of the recorded one, for a provider that wants other ids. Not with `exact`. */
  callId?: (id: string) => string
}

/**
 * Converts turns to chat messages.
 *
 * By default they are for a model, in the form that OpenAI and Anthropic ask for: each call is answered once, right after
 * its message, and there is no result without its call; texts are well-formed and not empty; call ids have up to 40 and
 * names up to 64 letters, digits, `_` and `-`, other ids become a digest; arguments are a JSON object; members that the
 * format does not have are left out. In detail:
 *
 * - A turn becomes its items of the format `chat`, followed by the tool calls that none of them names. A turn without
 *   such items becomes its prompt (omitted if `''`), each tool call with its result, and its response.
 * - A result that is not text is converted to JSON. For a failed call, the content is its error. For a call
 *   without a result, it is a sentence that says so.
 * - Turns with status `cancelled` or `error` are treated like all others. A turn without a response gets no
 *   response message. A turn's `error` is meant for people and is not sent to the model.
 * - A call id that fits and is used again in a later message stays.
 * - System messages belong to the turn in which they were recorded. If you convert only the last n turns,
 *   the system messages of earlier turns are missing.
 *
 * With `exact` the items are returned unchanged. Both are equal for messages that a model takes as they are.
 *
 * @throws `INVALID_ARGUMENT`
 *
 * @example
 * const completion = await openai.chat.completions.create({ model, messages: messagesFromTurns(session.turns), tools })
 */
export function messagesFromTurns(
  turns: readonly TurnRecord[],
  options: MessagesOptions & { exact: true },
): JsonObject[]
export function messagesFromTurns(
  turns: readonly TurnRecord[],
  options?: MessagesOptions & { exact?: false },
): ChatMessage[]
export function messagesFromTurns(turns: readonly TurnRecord[], options?: MessagesOptions): (ChatMessage | JsonObject)[]
export function messagesFromTurns(
  turns: readonly TurnRecord[],
  options: MessagesOptions = {},
): (ChatMessage | JsonObject)[] {
  const { exact, ...sendable } = readMessagesOptions(options)
  return exact
    ? turns.flatMap(turn => exactMessages(turn, sendable.keepsIncomplete).map(({ message }) => message))
    : sendableMessages(turns, sendable)
}

/** @throws `INVALID_ARGUMENT` */
export function readMessagesOptions(options: MessagesOptions): SendableOptions & { readonly exact: boolean } {
  checkMembers(options, 'options', ['exact', 'incomplete', 'callId'])
  const { incomplete = 'drop', callId = sendableCallId } = options
  const exact = readFlag(options.exact, 'options.exact')
  if (incomplete !== 'drop' && incomplete !== 'keep') {
    throw new TurnstoreError('INVALID_ARGUMENT', "options.incomplete must be 'drop' or 'keep'")
  }
  if (typeof callId !== 'function' || (exact && options.callId !== undefined)) {
    throw new TurnstoreError('INVALID_ARGUMENT', 'options.callId must be a function, and has no effect with exact')
  }
  return { exact, keepsIncomplete: incomplete === 'keep', callId }
}
