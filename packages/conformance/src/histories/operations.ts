import {
  isTurnstoreError,
  type NewSessionInput,
  type PartRange,
  type TimedChange,
  type SessionRecord,
  type SessionStore,
  type TurnRange,
} from '@turnstore/core'
import { nameOf } from '../checks/expect.js'

/** The options of a call, as plain data. */
export interface CallOptions {
  workspaceId?: string | null
  ifRevision?: number
  idempotencyKey?: string
  createIfMissing?: NewSessionInput
  /** Of `readTurns`. */
  parts?: 'none'
}

/** A call on one session as data, to print, send to another process or run on a model. */
export type Operation =
  | { method: 'saveSession'; id: string; record: SessionRecord; options?: CallOptions }
  | { method: 'changeSession'; id: string; change: TimedChange; options?: CallOptions }
  | { method: 'deleteSession' | 'loadSession' | 'loadSummary'; id: string; options?: CallOptions }
  | { method: 'readTurns'; id: string; range: TurnRange; options?: CallOptions }
  | { method: 'readParts'; id: string; turnId: string; range: PartRange; options?: CallOptions }

/** The outcome of a call. Unknown: it may have happened, or may still happen. */
export type Outcome =
  | { kind: 'gave'; value: unknown }
  | { kind: 'failed'; code: string; actualRevision?: number; message?: string }
  | { kind: 'unknown' }

/** Executes calls: a handle in this process, or another process. */
export type Caller = (method: Operation['method'], ...args: unknown[]) => Promise<unknown>

export function callerOf(store: SessionStore): Caller {
  return async (method, ...args) => {
    const result: unknown = await Reflect.apply(store[method], store, args)
    return result
  }
}

/** Makes a call and returns its outcome. Never rejects. */
export async function perform(operation: Operation, call: Caller): Promise<Outcome> {
  try {
    const value = await call(operation.method, ...argumentsOf(operation))
    return { kind: 'gave', value: value ?? null }
  } catch (error) {
    if (!isTurnstoreError(error)) return { kind: 'failed', code: 'no TurnstoreError', message: nameOf(error) }
    if (error.outcome === 'unknown') return { kind: 'unknown' }
    const { code, actualRevision, message } = error
    return { kind: 'failed', code, message, ...(actualRevision === undefined ? {} : { actualRevision }) }
  }
}

function argumentsOf(operation: Operation): unknown[] {
  const options = operation.options === undefined ? [] : [operation.options]
  if (operation.method === 'saveSession') return [operation.record, ...options]
  if (operation.method === 'changeSession') return [operation.id, operation.change, ...options]
  if (operation.method === 'readTurns') return [operation.id, operation.range, ...options]
  if (operation.method === 'readParts') return [operation.id, operation.turnId, operation.range, ...options]
  return [operation.id, ...options]
}
