import {
  encodeSession,
  replaySession,
  type SessionRecord,
  type SessionStore,
  type SessionSummary,
} from '@turnstore/core'
import { encodeItem, encodeToolCall, encodeTurnHead } from '@turnstore/core/adapter'
import type {
  CallsAnswer,
  HitAnswer,
  ItemsAnswer,
  SearchAnswer,
  SessionsAnswer,
  SpansAnswer,
  TransitionsAnswer,
  TurnsAnswer,
} from './answers.js'
import { clippedCall, clippedItem, clippedTurn } from './clip.js'
import { filtersIn, required, wholeNumber } from './parameters.js'
import { notFound } from './refusal.js'

export interface Question {
  readonly parameters: URLSearchParams
  /** Aborts when the page no longer waits for the answer. */
  readonly signal: AbortSignal
}

const FAR = 1e12

export async function sessions(store: SessionStore, { parameters, signal }: Question): Promise<SessionsAnswer> {
  const limit = wholeNumber(parameters, 'limit', 50, 200)
  const { damaged = [], ...page } = await store.querySessions({ ...filtersIn(parameters), limit, signal })
  return { ...page, damaged }
}

export async function search(store: SessionStore, { parameters, signal }: Question): Promise<SearchAnswer> {
  const text = required(parameters, 'text')
  const { hits, cursor } = await store.searchSessions({ ...filtersIn(parameters), text, limit: 30, signal })
  return {
    cursor,
    hits: hits.map(({ session, ...hit }): HitAnswer => {
      const { sessionId, updatedAt, metadata } = session
      return { sessionId, updatedAt, title: typeof metadata.title === 'string' ? metadata.title : '', ...hit }
    }),
  }
}

export async function session(store: SessionStore, { parameters, signal }: Question): Promise<SessionSummary> {
  return found(await store.loadSummary(required(parameters, 'id'), { signal }))
}

/** Heads of turns, in order; with `turn`, that turn alone. */
export async function turns(store: SessionStore, { parameters, signal }: Question): Promise<TurnsAnswer> {
  const turnId = parameters.get('turn')
  const range =
    turnId === null
      ? { from: wholeNumber(parameters, 'from', 0, FAR), limit: wholeNumber(parameters, 'limit', 50, 200) }
      : { turnId }
  const page = found(await store.readTurns(required(parameters, 'id'), range, { parts: 'none', signal }))
  return { items: page.turns.map(clippedTurn), firstIndex: page.firstIndex, count: page.turnCount }
}

/** When each turn was, for the timeline. */
export async function spans(store: SessionStore, { parameters, signal }: Question): Promise<SpansAnswer> {
  const range = { from: wholeNumber(parameters, 'from', 0, FAR), limit: 1000 }
  const page = found(await store.readTurns(required(parameters, 'id'), range, { parts: 'none', signal }))
  const items = page.turns.map(({ turnId, startedAt, endedAt, status, partCounts }) => ({
    turnId,
    startedAt,
    endedAt,
    status,
    toolCalls: partCounts.toolCalls,
  }))
  return { items, firstIndex: page.firstIndex, count: page.turnCount }
}

/** The head of a turn as it is exported, whole. */
export async function turn(store: SessionStore, { parameters, signal }: Question): Promise<unknown> {
  const range = { turnId: required(parameters, 'turn') }
  const page = found(await store.readTurns(required(parameters, 'id'), range, { parts: 'none', signal }))
  const { partCounts: _partCounts, ...head } = found(page.turns[0] ?? null)
  return encodeTurnHead(head)
}

export async function calls(store: SessionStore, question: Question): Promise<CallsAnswer> {
  const { parts, firstIndex, count } = await readParts(store, question, 'toolCalls')
  return { items: parts.map(clippedCall), firstIndex, count }
}

export async function items(store: SessionStore, question: Question): Promise<ItemsAnswer> {
  const { parts, firstIndex, count } = await readParts(store, question, 'items')
  return { items: parts.map(clippedItem), firstIndex, count }
}

/** One tool call as it is exported, whole. */
export async function call(store: SessionStore, question: Question): Promise<unknown> {
  const { parts } = await readParts(store, question, 'toolCalls')
  return encodeToolCall(found(parts[0] ?? null))
}

export async function item(store: SessionStore, question: Question): Promise<unknown> {
  const { parts } = await readParts(store, question, 'items')
  return encodeItem(found(parts[0] ?? null))
}

async function readParts<List extends 'toolCalls' | 'items'>(
  store: SessionStore,
  { parameters, signal }: Question,
  list: List,
): Promise<NonNullable<Awaited<ReturnType<typeof store.readParts<List>>>>> {
  const from = wholeNumber(parameters, 'from', 0, FAR)
  const limit = Math.max(1, wholeNumber(parameters, 'limit', 1, 200))
  const turnId = required(parameters, 'turn')
  return found(await store.readParts(required(parameters, 'id'), turnId, { list, from, limit }, { signal }))
}

/** They are kept with the session, so this reads all of it. The page asks only if there are any. */
export async function transitions(store: SessionStore, question: Question): Promise<TransitionsAnswer> {
  return { transitions: (await wholeSession(store, question)).agentTransitions }
}

/** The session as `turnstore export` writes it. */
export async function exported(store: SessionStore, question: Question): Promise<unknown> {
  return encodeSession(await wholeSession(store, question))
}

export async function markdown(store: SessionStore, question: Question): Promise<string> {
  return replaySession(await wholeSession(store, question)).toMarkdown()
}

/** All sessions of a listing as JSON Lines. */
export async function* exportedListing(store: SessionStore, question: Question): AsyncGenerator<string> {
  const { signal, parameters } = question
  for await (const { sessionId } of store.sessions({ ...filtersIn(parameters), signal })) {
    const record = await store.loadSession(sessionId, { signal })
    // It may have been deleted meanwhile.
    if (record !== null) yield `${JSON.stringify(encodeSession(record))}\n`
  }
}

async function wholeSession(store: SessionStore, { parameters, signal }: Question): Promise<SessionRecord> {
  return found(await store.loadSession(required(parameters, 'id'), { signal }))
}

function found<T>(value: T | null): T {
  if (value === null) throw notFound()
  return value
}
