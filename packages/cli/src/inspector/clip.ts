import type { ToolCallRecord, TurnHeadRecord, TurnItem } from '@turnstore/core'
import type { CallAnswer, ItemAnswer, TurnAnswer, TurnText } from './answers.js'

/** The longest text of a turn that is sent with its head, in UTF-16 units. */
const TEXT = 20_000
const PREVIEW = 160

const texts: readonly TurnText[] = ['prompt', 'responseContent', 'error']

export function clippedTurn(turn: TurnHeadRecord): TurnAnswer {
  const { metadata: _metadata, extra: _extra, auditEventIds: _auditEventIds, ...head } = turn
  const clipped: { [Text in TurnText]?: number } = {}
  for (const name of texts) {
    const length = turn[name]?.length ?? 0
    if (length > TEXT) clipped[name] = length
  }
  return {
    ...head,
    prompt: beginning(turn.prompt, TEXT),
    responseContent: turn.responseContent === null ? null : beginning(turn.responseContent, TEXT),
    error: turn.error === null ? null : beginning(turn.error, TEXT),
    clipped,
  }
}

export function clippedCall(call: ToolCallRecord): CallAnswer {
  const { callId, toolName, status, error, durationMs } = call
  return {
    callId,
    toolName,
    status,
    error: error === null ? null : beginning(error, PREVIEW),
    durationMs,
    preview: previewOf(call.arguments),
  }
}

export function clippedItem({ itemId, format, value }: TurnItem): ItemAnswer {
  return { itemId, format, preview: previewOf(value) }
}

/** The beginning of a value as JSON, without writing all of a large one. */
function previewOf(value: unknown): string {
  let left = PREVIEW
  const text = JSON.stringify(value, (_name, member: unknown) => {
    if (left <= 0) return undefined
    left -= typeof member === 'string' ? member.length : 4
    return typeof member === 'string' ? beginning(member, PREVIEW) : member
  })
  return beginning(text ?? '', PREVIEW)
}

/** Never half a character. */
function beginning(text: string, length: number): string {
  if (text.length <= length) return text
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')
}
