import { expect } from 'vitest'
import type { ChatMessage } from '../../src/index.ts'

/*
 * What OpenAI and Anthropic require of a conversation, as their references say: "Create chat completion", and "Messages"
 * with "Tool use". Written apart from what renders messages.
 */

export function expectSendable(messages: readonly ChatMessage[]): void {
  expect(faultsOf(messages)).toEqual([])
}

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  system: ['role', 'content', 'name'],
  developer: ['role', 'content', 'name'],
  user: ['role', 'content', 'name'],
  assistant: ['role', 'content', 'tool_calls', 'name'],
  tool: ['role', 'content', 'tool_call_id', 'name'],
}

const PARTS: Readonly<Record<string, readonly string[]>> = {
  user: ['text', 'image_url', 'input_audio', 'file'],
}

export function faultsOf(messages: readonly ChatMessage[]): string[] {
  const faults: string[] = []
  let open = new Set<string>()
  for (const [index, message] of messages.entries()) {
    const fault = (what: string): number => faults.push(`messages[${index}] ${what}`)
    const { role, content } = message
    const calls = role === 'assistant' ? message.tool_calls : undefined
    if (!stringsIn(message).every(text => text.isWellFormed())) fault('is not well-formed')
    for (const key of Object.keys(message)) if (MEMBERS[role]?.includes(key) !== true) fault(`has a member ${key}`)
    if (message.name !== undefined && !/^[a-zA-Z0-9_-]{1,64}$/.test(message.name)) fault('has a name that is refused')
    if (typeof content === 'string' && content.trim() === '') fault('has empty text')
    if ((content ?? null) === null && calls === undefined) fault('has no content')
    if (Array.isArray(content)) {
      if (content.length === 0) fault('has no parts')
      for (const part of content) {
        if (!(PARTS[role] ?? ['text']).includes(part.type)) fault(`has a part of type ${part.type}`)
        if (part.type === 'text' && part.text.trim() === '') fault('has an empty part')
      }
    }
    if (role === 'tool') {
      if (!open.delete(message.tool_call_id)) fault('is a result without its call, or a second one')
      continue
    }
    if (open.size > 0) fault('is between a call and its result')
    if (calls?.length === 0) fault('has tool_calls that are empty')
    open = new Set(calls?.map(({ id }) => id))
    if (open.size !== (calls?.length ?? 0)) fault('has an id twice')
    for (const { id, type, function: target } of calls ?? []) {
      if (!/^[a-zA-Z0-9_-]{1,40}$/.test(id) || type !== 'function')
        fault('has a call with an id or a type that is refused')
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(target.name)) fault('has a call with a name that is refused')
      if (!isObject(target.arguments)) fault('has arguments that are not a JSON object')
    }
  }
  if (open.size > 0) faults.push('the last call has no result')
  return faults
}

/** All texts in a value, keys too. Text that is itself JSON, as arguments are, counts by what it says. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) => {
    const said: unknown = key === 'arguments' && typeof member === 'string' ? parsed(member) : member
    return [key, ...stringsIn(said)]
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
