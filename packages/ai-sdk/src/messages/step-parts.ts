import type { ContentPart, ToolSet } from 'ai'
import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { asJson, isPart, type Part } from './message.js'
import { type Outcome, toolPart, type ToolPart, withOutcome } from './tool-part.js'

/** The content of a step, as the SDK gives it to its callbacks. */
export type StepContent = readonly ContentPart<ToolSet>[]

/** The parts that the SDK makes of a step in a UI message. */
export function stepParts(content: StepContent, isDynamicTool: (name: string) => boolean | undefined): Part[] {
  const parts: Part[] = [{ type: 'step-start' }]
  const calls = new Map<string, number>()
  const change = (toolCallId: string, to: (part: ToolPart) => Part): void => {
    const place = calls.get(toolCallId)
    const part = place === undefined ? undefined : parts[place]
    if (place !== undefined && part !== undefined) parts[place] = to({ ...part, toolCallId })
  }
  for (const each of content) {
    switch (each.type) {
      case 'text':
        parts.push(
          asPart({ type: 'text', text: each.text, state: 'done', citations: each.citations, ...metadata(each) }),
        )
        break
      case 'reasoning':
        parts.push(asPart({ type: 'reasoning', text: each.text, state: 'done', ...metadata(each) }))
        break
      case 'reasoning-file':
      case 'file': {
        const { mediaType, base64 } = each.file
        parts.push(asPart({ type: each.type, mediaType, url: `data:${mediaType};base64,${base64}`, ...metadata(each) }))
        break
      }
      case 'source':
        parts.push(asPart(sourcePart(each)))
        break
      case 'custom':
        parts.push(asPart({ type: 'custom', kind: each.kind, ...metadata(each) }))
        break
      case 'tool-call': {
        const isInvalid = each.invalid === true
        // The type of a tool does not hold for an input that its schema refuses.
        const isDynamic = isInvalid || (isDynamicTool(each.toolName) ?? each.dynamic === true)
        const {
          toolCallId,
          toolName,
          providerExecuted,
          providerMetadata: callProviderMetadata,
          toolMetadata,
          title,
        } = each
        const input: JsonValue = asJson(each.input, 'the input of a call').value ?? null
        const facts = { providerExecuted, callProviderMetadata, toolMetadata, title }
        const call = { ...asPart({ ...toolPart(toolCallId, toolName, input, isDynamic), ...facts }), toolCallId }
        calls.set(toolCallId, parts.length)
        parts.push(isInvalid ? withOutcome(call, { errorText: errorTextOf(each.error) }) : call)
        break
      }
      case 'tool-result':
      case 'tool-error':
        change(each.toolCallId, part => withResult(part, each))
        break
      case 'tool-approval-request': {
        const { approvalId: id, reason: requestReason, isAutomatic, signature } = each
        const approval = { id, requestReason, isAutomatic: isAutomatic === true ? true : undefined, signature }
        change(each.toolCall.toolCallId, part => asPart({ ...part, state: 'approval-requested', approval }))
        break
      }
      case 'tool-approval-response': {
        const { approved, reason } = each
        change(each.toolCall.toolCallId, part => {
          const request = isJsonObject(part.approval) ? part.approval : { id: each.approvalId }
          const state = approved
            ? part.state === 'approval-requested'
              ? 'approval-responded'
              : part.state
            : 'output-denied'
          return asPart({ ...part, state, approval: { ...request, approved, reason } })
        })
        break
      }
      default:
    }
  }
  return parts
}

function sourcePart(source: Extract<StepContent[number], { type: 'source' }>): object {
  const { id: sourceId, title } = source
  return source.sourceType === 'url'
    ? { type: 'source-url', sourceId, url: source.url, title, ...metadata(source) }
    : {
        type: 'source-document',
        sourceId,
        mediaType: source.mediaType,
        title,
        filename: source.filename,
        ...metadata(source),
      }
}

interface Facts {
  readonly providerMetadata?: object | undefined
}

function metadata({ providerMetadata }: Facts): object {
  return providerMetadata === undefined ? {} : { providerMetadata }
}

export type Result = Extract<StepContent[number], { type: 'tool-result' | 'tool-error' }>

function withResult(part: ToolPart, result: Result): Part {
  // An input that is no good has its error already.
  if (result.type === 'tool-error' && part.state === 'output-error') return part
  return { ...withOutcome(part, outcomeOfResult(result)), ...metadataOfResult(result) }
}

export function outcomeOfResult(result: Result): Outcome {
  if (result.type === 'tool-result') return { output: asJson(result.output, 'the output of a call').value ?? null }
  const { error, providerExecuted } = result
  const isJson = providerExecuted === true && typeof error !== 'string'
  return { errorText: isJson ? JSON.stringify(error) : errorTextOf(error) }
}

/** The SDK repeats the metadata of the call for a tool that it executes itself. */
export function metadataOfResult({ providerExecuted, providerMetadata }: Result): JsonObject {
  if (providerExecuted !== true || providerMetadata === undefined) return {}
  return { resultProviderMetadata: asJson(providerMetadata, 'the metadata of a call').value ?? null }
}

/** What the model reads of an error. */
export function errorTextOf(error: unknown): string {
  if (error === undefined || error === null) return 'unknown error'
  if (typeof error === 'string') return error
  if (error instanceof Error) return error.toString()
  try {
    return JSON.stringify(error) ?? 'unknown error'
  } catch {
    return 'unknown error'
  }
}

/** A part without its undefined members. */
function asPart(part: object): Part {
  const { value } = asJson(part, 'a part of a step')
  if (!isPart(value)) throw new Error('a part has a type')
  return value
}
