import type { JsonObject, MessageProblem, TurnRecord } from '@turnstore/core'
import { expect } from 'vitest'
import { type Format, formatByName } from '../src/index.ts'
import type { Talk } from './conversations.ts'
import { natives } from './native.ts'

export function named(name: string): Format {
  const format = formatByName(name)
  if (format === undefined) throw new Error(`no format ${name}`)
  return format
}

/** The formats that can say that a call failed. */
export const sayFailure: ReadonlySet<string> = new Set(
  natives.filter(native => native.saysFailure === true).map(({ name }) => name),
)

/** The turns of messages that are read in full. */
export function turnsOf(format: Format, messages: readonly unknown[]): TurnRecord[] {
  const problems: MessageProblem[] = []
  const turns = format.toTurns(messages, { onProblem: problem => problems.push(problem) })
  expect({ messages, problems }).toEqual({ messages, problems: [] })
  return turns
}

export interface Told {
  readonly prompt: string
  readonly response: string | null
  readonly status: string
  readonly calls: readonly { name: string; input: JsonObject; output: unknown; status: string }[]
}

export function saidIn(turns: readonly TurnRecord[]): Told[] {
  return turns.map(({ prompt, responseContent: response, status, toolCalls }) => ({
    prompt,
    response,
    status,
    calls: toolCalls.map(call => ({
      name: call.toolName,
      input: call.arguments,
      output: call.error ?? call.result,
      status: call.status,
    })),
  }))
}

/** Formats with objects for results have text that is JSON as such. Not all can say that a call failed. */
export function asTold({ calls, ...turn }: Told, saysFailure: boolean): unknown {
  return {
    ...turn,
    calls: calls.map(({ output, status, ...call }) => ({
      ...call,
      output: typeof output === 'string' ? parsed(output) : output,
      status: saysFailure ? status : null,
    })),
  }
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? value : text
  } catch {
    return text
  }
}

interface Says {
  readonly saysFailure?: boolean
  readonly textIsLast?: boolean
}

/** What a conversation says. */
export function expected({ turns }: Talk, { saysFailure = false, textIsLast = false }: Says): Told[] {
  return turns.map(({ prompt, steps, answer }) => {
    const texts = [...steps.flatMap(({ text }) => text ?? []), ...(answer === null ? [] : [answer])]
    return {
      prompt,
      response: texts.at(-1) ?? null,
      status: answer === null && !(textIsLast && (steps.at(-1)?.text ?? null) !== null) ? 'running' : 'success',
      calls: steps.flatMap(({ calls }) =>
        calls.map(call => ({
          name: call.name,
          input: call.input,
          output: call.output,
          status: saysFailure && call.failed ? 'error' : 'success',
        })),
      ),
    }
  })
}
