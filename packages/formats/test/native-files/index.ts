import { chatGpt } from './chatgpt.ts'
import { claudeCode } from './claude-code.ts'
import { claudeExport } from './claude-export.ts'
import { codex, codexOld, codexOldest } from './codex.ts'
import type { FileNative } from './file-native.ts'
import { geminiCli, geminiCliLines } from './gemini-cli.ts'
import { inspect } from './inspect.ts'
import { shareGpt } from './sharegpt.ts'

export const fileNatives: readonly FileNative[] = [
  claudeCode,
  codex,
  codexOld,
  codexOldest,
  geminiCli,
  geminiCliLines,
  chatGpt,
  claudeExport,
  inspect,
  shareGpt,
]
