import type { JsonObject, ToolCallInput, ToolCallRecord } from '@turnstore/core'
import { digestOf, isJsonObject, isValidId } from '@turnstore/core/adapter'
import { callKey, FORMAT, turnsOf } from './format.js'

/*
 * A call that a run has begun is recorded before the SDK stores its item. The record says so in its metadata, and holds
 * what the items will be: whoever finds it after a crash can tell whether the call was answered.
 */

export interface StartedCall {
  readonly callId: string
  readonly call: JsonObject
  /** The item of its result, once it is answered. */
  readonly result: JsonObject | undefined
}

/** @param result the item of its result */
export function startedRecord(call: JsonObject, result?: JsonObject): ToolCallInput {
  const items = [{ role: 'user', content: '' }, call, ...(result === undefined ? [] : [result])]
  const [record] = turnsOf(items)[0]?.toolCalls ?? []
  const metadata = { [FORMAT]: { call, ...(result === undefined ? {} : { result }) } }
  return { toolName: '', ...record, callId: startedId(call), metadata }
}

/** The id of the record. A provider may give ids that a store does not take. */
export function startedId(call: JsonObject): string {
  const key = callKey(call)
  return isValidId(key) ? key : digestOf(key)
}

export function startedCall({ metadata }: ToolCallRecord): StartedCall | null {
  const noted = metadata[FORMAT]
  if (!isJsonObject(noted) || !isJsonObject(noted.call)) return null
  return {
    callId: callKey(noted.call),
    call: noted.call,
    result: isJsonObject(noted.result) ? noted.result : undefined,
  }
}

export function isStarted(record: ToolCallRecord): boolean {
  return startedCall(record) !== null
}
