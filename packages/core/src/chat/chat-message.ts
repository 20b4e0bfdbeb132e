import type { JsonValue } from '../basics/json.js'

/** A message in the chat-completions format, which most model APIs accept. */
export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** Text, or the parts of a multimodal message. */
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
  /** Missing only if the imported message had none. */
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

/** The content of a tool message for a call without a result. The model must see the call, or it would repeat it. */
export const NO_RESULT = 'No result was recorded for this tool call; it may have taken effect or not.'

/** OpenAI refuses longer ids. */
export const MAX_CALL_ID_LENGTH = 40
