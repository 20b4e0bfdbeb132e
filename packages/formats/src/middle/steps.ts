import { parseJsonText } from './json-text.js'
import type { ChatMessage, JsonObject, JsonValue, TextPart, UserPart } from '@turnstore/core'
import { argumentsOf, isJsonObject } from '@turnstore/core/adapter'
import type { WriteOptions } from './dialect.js'

/** Chat messages that a model takes, each call joined with its result, for a format to write. */
export type Step =
  | { readonly role: 'system'; readonly text: string }
  | { readonly role: 'user'; readonly parts: readonly UserPart[] }
  | { readonly role: 'assistant'; readonly texts: readonly string[]; readonly calls: readonly AnsweredCall[] }

export interface AnsweredCall {
  readonly id: string
  readonly name: string
  readonly input: JsonObject
  readonly output: string
  readonly failed: boolean
}

/** @param messages as `messagesFromTurns` gives them: each call is answered right after its message */
export function stepsOf(messages: readonly ChatMessage[], { failed }: Pick<WriteOptions, 'failed'>): Step[] {
  const steps: Step[] = []
  let open: AnsweredCall[] = []
  for (const message of messages) {
    const { role, content } = message
    if (role === 'user') steps.push({ role, parts: partsOf(content) })
    else if (role === 'tool') {
      const index = open.findIndex(({ id }) => id === message.tool_call_id)
      const call = open[index]
      if (call !== undefined)
        open[index] = { ...call, output: textsOf(content).join('\n'), failed: failed.has(message) }
    } else if (role === 'assistant') {
      open = (message.tool_calls ?? []).map(({ id, function: target }) => ({
        id,
        name: target.name,
        input: argumentsOf(target.arguments) ?? {},
        output: '',
        failed: false,
      }))
      steps.push({ role, texts: textsOf(content ?? []), calls: open })
    } else steps.push({ role: 'system', text: textsOf(content).join('\n') })
  }
  return steps
}

/** The output of a call as JSON, if its text is that of an object or an array. */
export function jsonOutput({ output }: AnsweredCall): JsonValue {
  if (!/^\s*[[{]/.test(output)) return output
  return parseJsonText(output) ?? output
}

/** For formats where an output is an object. */
export function objectOutput(call: AnsweredCall): JsonObject {
  const output = jsonOutput(call)
  if (call.failed) return { error: output }
  return isJsonObject(output) ? output : { output }
}

/** For formats that cannot say that a call failed. */
export function loseFailures(calls: readonly AnsweredCall[], lose: WriteOptions['lose']): void {
  if (calls.some(({ failed }) => failed)) lose('that a call failed')
}

/** Takes the system prompts out, for formats that have them beside the messages. */
export function withoutSystem(steps: readonly Step[]): { steps: Exclude<Step, { role: 'system' }>[]; system?: string } {
  const texts: string[] = []
  const others = steps.filter(step => {
    if (step.role !== 'system') return true
    if (!texts.includes(step.text)) texts.push(step.text)
    return false
  })
  const said = others.flatMap(step => (step.role === 'system' ? [] : [step]))
  return texts.length === 0 ? { steps: said } : { steps: said, system: texts.join('\n\n') }
}

function partsOf(content: string | readonly UserPart[]): readonly UserPart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}

function textsOf(content: string | readonly TextPart[]): string[] {
  return typeof content === 'string' ? [content] : content.map(({ text }) => text)
}
