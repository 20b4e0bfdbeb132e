/** A message in the chat-completions format, as models take it. */
export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage

export interface SystemMessage {
  role: 'system' | 'developer'
  content: string | TextPart[]
  name?: string
}

export interface UserMessage {
  role: 'user'
  content: string | UserPart[]
  name?: string
}

export interface AssistantMessage {
  role: 'assistant'
  /** Missing or null only beside tool calls. */
  content?: string | TextPart[] | null
  tool_calls?: ChatToolCall[]
  name?: string
}

export interface ToolMessage {
  role: 'tool'
  tool_call_id: string
  content: string | TextPart[]
  name?: string
}

export interface ChatToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

export type UserPart = TextPart | ImagePart | AudioPart | FilePart

export interface TextPart {
  type: 'text'
  text: string
}

export interface ImagePart {
  type: 'image_url'
  image_url: { url: string; detail?: 'auto' | 'low' | 'high' }
}

export interface AudioPart {
  type: 'input_audio'
  input_audio: { data: string; format: 'wav' | 'mp3' }
}

export interface FilePart {
  type: 'file'
  file: { file_data?: string; file_id?: string; filename?: string }
}

/** The format of items that are chat messages. */
export const CHAT_FORMAT = 'chat'

/** The content of a tool message for a call without a result. The model must see the call, or it would repeat it. */
export const NO_RESULT = 'No result was recorded for this tool call; it may have taken effect or not.'

/** What the model reads instead of the result of a call that a crash interrupted. */
export const INTERRUPTED_CALL = 'The call was interrupted. It is unknown whether it took effect.'
