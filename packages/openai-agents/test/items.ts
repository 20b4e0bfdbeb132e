import type { AgentInputItem } from '@openai/agents-core'
import type { JsonObject } from '@turnstore/core'
import { decodeItem } from '../src/items/item-json.ts'

export const user = (content: string): AgentInputItem => ({ type: 'message', role: 'user', content })

export const says = (text: string): AgentInputItem => ({
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text }],
})

export const calls = (callId: string, args = '{}'): AgentInputItem => ({
  type: 'function_call',
  callId,
  name: 'track',
  arguments: args,
  status: 'completed',
})

export const gives = (callId: string, text: string): AgentInputItem => ({
  type: 'function_call_result',
  callId,
  name: 'track',
  status: 'completed',
  output: { type: 'text', text },
})

/** Items that are written as JSON. */
export function asItems(values: readonly JsonObject[]): AgentInputItem[] {
  return values.map(decodeItem)
}
