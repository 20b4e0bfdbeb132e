import type { IncomingMessage } from 'node:http'
import type { SessionStore } from '@turnstore/core'
import type { StoreAnswer } from './answers.js'
import { sessionEvents } from './events.js'
import * as read from './read-routes.js'
import { forbidden, notFound, Refusal } from './refusal.js'
import type { Answer } from './reply.js'
import { discard, end, readWrite, remove, rename, type WriteRoute } from './write-routes.js'

export interface Inspected {
  readonly store: SessionStore
  readonly label: string
  readonly isWritable: boolean
}

type ReadRoute = (inspected: Inspected, question: read.Question) => Promise<Answer>

const json =
  (route: (store: SessionStore, question: read.Question) => Promise<unknown>): ReadRoute =>
  async ({ store }, question) => ({ json: await route(store, question) })

const reads: Readonly<Record<string, ReadRoute>> = {
  '/api/store': async ({ label, isWritable }) => ({ json: { label, isWritable } satisfies StoreAnswer }),
  '/api/sessions': json(read.sessions),
  '/api/search': json(read.search),
  '/api/session': json(read.session),
  '/api/turns': json(read.turns),
  '/api/turn': json(read.turn),
  '/api/spans': json(read.spans),
  '/api/calls': json(read.calls),
  '/api/call': json(read.call),
  '/api/items': json(read.items),
  '/api/item': json(read.item),
  '/api/transitions': json(read.transitions),
  '/api/export': json(read.exported),
  '/api/markdown': async ({ store }, question) => ({
    type: 'text/markdown; charset=utf-8',
    chunks: one(await read.markdown(store, question)),
  }),
  '/api/export-listing': async ({ store }, question) => ({
    type: 'application/jsonl; charset=utf-8',
    chunks: read.exportedListing(store, question),
  }),
  '/api/events': async ({ store }, question) => ({
    type: 'text/event-stream; charset=utf-8',
    chunks: sessionEvents(store, question),
  }),
}

const writes: Readonly<Record<string, WriteRoute>> = {
  '/api/rename': rename,
  '/api/end': end,
  '/api/delete': remove,
  '/api/discard': discard,
}

/** @throws {Refusal} and errors of the store */
export async function answer(
  inspected: Inspected,
  request: IncomingMessage,
  url: URL,
  signal: AbortSignal,
): Promise<Answer> {
  const { pathname, searchParams: parameters } = url
  const write = writes[pathname]
  if (write !== undefined) {
    if (request.method !== 'POST') throw wrongMethod('POST')
    if (!inspected.isWritable) throw forbidden('Read only: start turnstore inspect with --write to change sessions')
    return { json: await write(inspected.store, await readWrite(request)) }
  }
  const route = reads[pathname]
  if (route === undefined) throw notFound()
  if (request.method !== 'GET') throw wrongMethod('GET')
  return route(inspected, { parameters, signal })
}

export function wrongMethod(allow: string): Refusal {
  return new Refusal(405, 'WRONG_METHOD', `Use ${allow}`, allow)
}

async function* one(text: string): AsyncGenerator<string> {
  yield text
}
