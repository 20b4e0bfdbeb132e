import type { JsonObject } from '../basics/json.js'
import { utf8Length } from '../basics/text.js'
import { encodeItem, encodeToolCall, encodeTurnHead } from './encode-record.js'
import type { ToolCallRecord, TurnHead, TurnItem, TurnRecord } from './models.js'

/*
 * Sizes as the limits count them, in bytes of UTF-8 JSON. The size of a turn is that of its head plus that of each part.
 */

/** The size of a value in bytes of UTF-8 JSON. */
export function jsonLength(value: JsonObject): number {
  return utf8Length(JSON.stringify(value))
}

export function toolCallBytes(call: ToolCallRecord): number {
  return jsonLength(encodeToolCall(call))
}

export function itemBytes(item: TurnItem): number {
  return jsonLength(encodeItem(item))
}

export function partBytes(part: ToolCallRecord | TurnItem): number {
  return 'callId' in part ? toolCallBytes(part) : itemBytes(part)
}

export function headBytes(head: TurnHead): number {
  return jsonLength(encodeTurnHead(head))
}

export function turnBytes(turn: TurnRecord): number {
  let bytes = headBytes(turn)
  for (const call of turn.toolCalls) bytes += toolCallBytes(call)
  for (const item of turn.items) bytes += itemBytes(item)
  return bytes
}
