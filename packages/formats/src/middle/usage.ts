import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'

/** The tokens of a turn, in its metadata under `usage`. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Part of `inputTokens`, as far as the format counts them there. */
  readonly cachedInputTokens?: number
}

const inputNames = ['input_tokens', 'prompt_tokens', 'inputTokens', 'promptTokens', 'promptTokenCount', 'input']
const outputNames = [
  'output_tokens',
  'completion_tokens',
  'outputTokens',
  'completionTokens',
  'candidatesTokenCount',
  'output',
]
const cachedNames = [
  'cache_read_input_tokens',
  'cached_input_tokens',
  'input_tokens_cache_read',
  'cachedInputTokens',
  'cachedContentTokenCount',
  'cached',
]

/** Reads the usage that any of the formats reports. */
export function usageOf(value: JsonValue | undefined): Usage | undefined {
  if (!isJsonObject(value)) return undefined
  const inputTokens = tokensIn(value, inputNames)
  const outputTokens = tokensIn(value, outputNames)
  if (inputTokens === undefined && outputTokens === undefined) return undefined
  const cachedInputTokens = tokensIn(value, cachedNames)
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    ...(cachedInputTokens === undefined ? {} : { cachedInputTokens }),
  }
}

export function addUsage(one: Usage | undefined, other: Usage): Usage {
  if (one === undefined) return other
  const cached = (one.cachedInputTokens ?? 0) + (other.cachedInputTokens ?? 0)
  return {
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    ...(one.cachedInputTokens === undefined && other.cachedInputTokens === undefined
      ? {}
      : { cachedInputTokens: cached }),
  }
}

function tokensIn(usage: JsonObject, names: readonly string[]): number | undefined {
  for (const name of names) {
    const tokens = usage[name]
    if (typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens >= 0) return tokens
  }
  return undefined
}
