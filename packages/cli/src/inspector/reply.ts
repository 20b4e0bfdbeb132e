import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { isTurnstoreError } from '@turnstore/core'
import { messageOf } from '../terminal/cli.js'
import type { ErrorAnswer } from './answers.js'
import { Refusal } from './refusal.js'

/** What a route answers: a value, or text that comes bit by bit. */
export type Answer = { readonly json: unknown } | TextStream

export interface TextStream {
  readonly type: string
  readonly chunks: AsyncIterable<string>
}

export async function sendAnswer(response: ServerResponse, answer: Answer): Promise<void> {
  if ('json' in answer) {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
    response.end(JSON.stringify(answer.json))
    return
  }
  for await (const chunk of answer.chunks) {
    // Only now: what fails before the first chunk still gets a status.
    if (!response.headersSent) response.writeHead(200, { 'content-type': answer.type })
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')])
    if (response.destroyed) return
  }
  if (!response.headersSent) response.writeHead(200, { 'content-type': answer.type })
  response.end()
}

/** The code and the message, never a stack. A reply that has begun is cut off, so that nobody takes it for whole. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const [status, answer] = errorAnswer(error)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    ...(error instanceof Refusal && error.allow !== undefined ? { allow: error.allow } : {}),
  })
  response.end(JSON.stringify(answer))
}

function errorAnswer(error: unknown): [status: number, answer: ErrorAnswer] {
  if (error instanceof Refusal) return [error.status, { code: error.code, message: error.message }]
  const code = isTurnstoreError(error) ? error.code : 'INTERNAL'
  return [statusByCode[code] ?? 500, { code, message: messageOf(error) }]
}

const statusByCode: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  INVALID_ID: 400,
  INVALID_RECORD: 400,
  SESSION_NOT_FOUND: 404,
  TURN_NOT_FOUND: 404,
  REVISION_CONFLICT: 409,
  STORE_BUSY: 503,
  STORE_CLOSED: 503,
  STORE_UNAVAILABLE: 503,
}
