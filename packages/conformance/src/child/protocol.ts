import type { JsonValue, SessionStore } from '@turnstore/core'

/*
 * What parent and child say to each other: a line of JSON for each call, and one for each answer, in
 * whichever order the answers come.
 */

export type MethodName = Exclude<keyof SessionStore, 'capabilities' | 'sessions' | symbol>

export interface Call {
  readonly id: number
  readonly method: MethodName
  readonly args: readonly unknown[]
}

export type Answer =
  | { readonly id: number; readonly result: JsonValue }
  | {
      readonly id: number
      readonly error: { readonly code: string; readonly message: string; readonly outcome?: string }
    }

export function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && 'id' in value && ('result' in value || 'error' in value)
}

export function isCall(value: unknown): value is Call {
  return typeof value === 'object' && value !== null && 'id' in value && 'method' in value && 'args' in value
}
