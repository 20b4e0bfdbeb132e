import type { JsonObject, SessionSummary } from '@turnstore/core'
import type {
  CallsAnswer,
  ErrorAnswer,
  ItemsAnswer,
  SearchAnswer,
  SessionsAnswer,
  SpansAnswer,
  StoreAnswer,
  TransitionsAnswer,
  TurnsAnswer,
} from '../../src/inspector/answers.ts'
import { authorization } from './token.ts'

interface Answers {
  store: StoreAnswer
  sessions: SessionsAnswer
  search: SearchAnswer
  session: SessionSummary
  turns: TurnsAnswer
  turn: JsonObject
  spans: SpansAnswer
  calls: CallsAnswer
  call: JsonObject
  items: ItemsAnswer
  item: JsonObject
  transitions: TransitionsAnswer
  error: ErrorAnswer
}

export type Parameters = Readonly<Record<string, string | number | readonly string[]>>

/** What the server refused, or that it cannot be reached. */
export class ApiError extends Error {
  readonly code: string

  constructor({ code, message }: ErrorAnswer) {
    super(message)
    this.code = code
  }
}

export async function ask<Name extends keyof Answers>(
  name: Name,
  parameters: Parameters = {},
  signal?: AbortSignal,
): Promise<Answers[Name]> {
  return read(name, await get(name, parameters, signal))
}

export type ChangeName = 'rename' | 'end' | 'delete'

export async function write(
  ...[name, body]:
    | [name: ChangeName, body: { id: string; ifRevision: number; title?: string }]
    | [name: 'discard', body: { id: string }]
): Promise<void> {
  const headers = { ...authorization(), 'content-type': 'application/json' }
  await reach(`/api/${name}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

/** @throws {ApiError} */
export async function get(name: string, parameters: Parameters, signal?: AbortSignal): Promise<Response> {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) query.append(key, String(each))
  }
  return reach(`/api/${name}?${query}`, { headers: authorization(), ...(signal === undefined ? {} : { signal }) })
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch((error: unknown) => {
    if (init.signal?.aborted === true) throw error
    throw new ApiError({ code: 'NO_SERVER', message: 'turnstore inspect has ended: start it again' })
  })
  if (!response.ok) throw new ApiError(await read('error', response))
  return response
}

async function read<Name extends keyof Answers>(name: Name, response: Response): Promise<Answers[Name]> {
  const value: unknown = await response.json()
  if (isAnswer(name, value)) return value
  throw new ApiError({ code: 'INTERNAL', message: 'The server gave no object' })
}

/** The server is of the same build as the page, so an object is the answer. */
function isAnswer<Name extends keyof Answers>(_name: Name, value: unknown): value is Answers[Name] {
  return typeof value === 'object' && value !== null
}

/** What to tell of an error; null if the call was aborted. */
export function problemOf(error: unknown): ErrorAnswer | null {
  if (error instanceof ApiError) return { code: error.code, message: error.message }
  if (error instanceof DOMException && error.name === 'AbortError') return null
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : 'Unknown error' }
}
