import { chatGpt } from './files/chatgpt.js'
import { claudeCode } from './files/claude-code.js'
import { claudeExport } from './files/claude-export.js'
import { codex } from './files/codex.js'
import { geminiCli } from './files/gemini-cli.js'
import { inspect } from './files/inspect.js'
import type { FileDialect, MessageDialect } from './middle/dialect.js'
import { aiSdk } from './messages/ai-sdk.js'
import { aiSdkModel } from './messages/ai-sdk-model.js'
import { anthropic } from './messages/anthropic.js'
import { chat } from './messages/chat.js'
import { gemini } from './messages/gemini.js'
import { langChain } from './messages/langchain.js'
import { openAiAgents } from './messages/openai-agents.js'
import { openAiResponses } from './messages/openai-responses.js'
import { shareGpt } from './messages/sharegpt.js'

/** Lists of messages. Where several fit equally well, the first is taken. */
export const messageDialects: readonly MessageDialect[] = [
  chat,
  anthropic,
  aiSdk,
  aiSdkModel,
  openAiResponses,
  openAiAgents,
  gemini,
  langChain,
  shareGpt,
]

/** Files that tools write. */
export const fileDialects: readonly FileDialect[] = [
  chatGpt,
  claudeExport,
  claudeCode,
  codex,
  geminiCli,
  inspect,
  shareGpt,
]

export const dialects: readonly (MessageDialect | FileDialect)[] = [...new Set([...messageDialects, ...fileDialects])]
