import type { Dialect, FileDialect } from './middle/dialect.js'
import { aiSdk } from './messages/ai-sdk.js'
import { aiSdkModel } from './messages/ai-sdk-model.js'
import { anthropic } from './messages/anthropic.js'
import { chat } from './messages/chat.js'
import { gemini } from './messages/gemini.js'
import { openAiAgents } from './messages/openai-agents.js'
import { openAiResponses } from './messages/openai-responses.js'

/** Lists of messages. Where several fit equally well, the first is taken. */
export const messageDialects: readonly Dialect[] = [
  chat,
  anthropic,
  aiSdk,
  aiSdkModel,
  openAiResponses,
  openAiAgents,
  gemini,
]

/** Files that tools write. */
export const fileDialects: readonly FileDialect[] = []

export const dialects: readonly Dialect[] = [...messageDialects, ...fileDialects]
