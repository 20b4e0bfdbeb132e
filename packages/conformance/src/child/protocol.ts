import type { JsonValue } from '@turnstore/core'
import type { MethodName } from '../samples/methods.js'
import type { Operation, Outcome } from '../histories/operations.js'

/*
 * The protocol between parent and child: one line of JSON per call and per answer, with answers in any order. During
 * independent work, a child reports each call twice.
 */

export interface Call {
  readonly id: number
  readonly method: MethodName
  readonly args: readonly unknown[]
}

/** Independent work of a child: each of its callers makes one call after the other. */
export interface Work {
  readonly id: number
  readonly work: readonly (readonly Operation[])[]
}

export type Answer =
  | { readonly id: number; readonly result: JsonValue }
  | {
      readonly id: number
      readonly error: {
        readonly code: string
        readonly message: string
        readonly outcome?: string
        readonly actualRevision?: number
      }
    }

/** A call of a caller, reported before it is made and again with its outcome. */
export interface Note {
  readonly id: number
  readonly caller: number
  readonly place: number
  readonly outcome?: Outcome
}

export function isAnswer(value: unknown): value is Answer {
  return isObject(value) && 'id' in value && ('result' in value || 'error' in value)
}

export function isNote(value: unknown): value is Note {
  return isObject(value) && 'id' in value && 'caller' in value && 'place' in value
}

export function isCall(value: unknown): value is Call {
  return isObject(value) && 'id' in value && 'method' in value && 'args' in value
}

export function isWork(value: unknown): value is Work {
  return isObject(value) && 'id' in value && 'work' in value
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
