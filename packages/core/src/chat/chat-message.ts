import type { JsonValue } from '../basics/json.js'

/** A message in the chat-completions format, as most model APIs take it. */
export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** Text, or the parts that a multimodal message is made of. */
export type ChatContent = string | ContentPart[] | null
export interface ContentPart {
  type: string
  [key: string]: JsonValue
}

export interface SystemMessage {
  role: 'system' | 'developer'
  content: ChatContent
  name?: string
}

export interface UserMessage {
  role: 'user'
  content: ChatContent
  name?: string
}

export interface AssistantMessage {
  role: 'assistant'
  /** Missing only where an imported message had none. */
  content?: ChatContent
  tool_calls?: ChatToolCall[]
  name?: string
}

export interface ToolMessage {
  role: 'tool'
  tool_call_id: string
  content: ChatContent
  name?: string
}

export interface ChatToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

/** What a model is told of a call without a result: it must know of the call, or it would make it again. */
export const NO_RESULT = 'No result was recorded for this tool call; it may have taken effect or not.'

/** OpenAI refuses longer ones. */
export const MAX_CALL_ID_LENGTH = 40
