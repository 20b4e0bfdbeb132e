import type { ChatMessage, JsonObject } from '@turnstore/core'
import { digestOf } from '@turnstore/core/adapter'
import { writeAnthropic } from '../messages/anthropic.js'
import type { WriteOptions, Written } from '../middle/dialect.js'
import { textIn } from '../middle/say.js'

/**
 * Entries that Claude Code resumes: each message of the API is a line, and names the one before it. The same turns give
 * the same ids, since entries that are recorded later name them.
 */
export function writeEntries(messages: readonly ChatMessage[], options: WriteOptions): Written {
  const { idPrefix, before, startedAt } = options
  const { messages: written, system } = writeAnthropic(messages, options)
  const last = before.findLast(({ uuid, message }) => typeof uuid === 'string' && message !== undefined)
  const sessionId = options.sessionId ?? (last === undefined ? uuidOf([idPrefix]) : textIn(last, 'sessionId'))
  const began = Date.parse(startedAt) || 0
  let parentUuid = last === undefined ? null : textIn(last, 'uuid')
  const entries = written.map(({ role = null, content = null }, index): JsonObject => {
    const uuid = uuidOf([idPrefix, index])
    const isAssistant = role === 'assistant'
    const entry = {
      parentUuid,
      isSidechain: false,
      userType: 'external',
      cwd: last === undefined ? '' : textIn(last, 'cwd'),
      sessionId,
      version: last === undefined ? '' : textIn(last, 'version'),
      type: role,
      message: isAssistant ? response(uuid, content) : { role, content },
      uuid,
      timestamp: new Date(began + index).toISOString(),
      ...(hasResults(content) ? { sourceToolAssistantUUID: parentUuid } : {}),
    }
    parentUuid = uuid
    return entry
  })
  return system === undefined ? { messages: entries } : { messages: entries, system }
}

/** Nobody knows which model said it, or what it took. */
function response(uuid: string, content: JsonObject[string]): JsonObject {
  return {
    id: `msg_${uuid}`,
    type: 'message',
    role: 'assistant',
    model: 'unknown',
    content,
    stop_reason: Array.isArray(content) && content.some(block => isOfType(block, 'tool_use')) ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 0, output_tokens: 0 },
  }
}

function hasResults(content: JsonObject[string]): boolean {
  return Array.isArray(content) && content.some(block => isOfType(block, 'tool_result'))
}

function isOfType(block: JsonObject[string], type: string): boolean {
  return typeof block === 'object' && block !== null && !Array.isArray(block) && block.type === type
}

/** A UUID that is made of a value, in the form of version 8. */
function uuidOf(value: JsonObject[string]): string {
  const digest = digestOf(['claude-code', value])
  const parts = [digest.slice(0, 8), digest.slice(8, 12), `8${digest.slice(13, 16)}`, `a${digest.slice(17, 20)}`]
  return `${parts.join('-')}-${digest.slice(20)}`
}
