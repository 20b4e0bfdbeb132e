import type { IncomingMessage } from 'node:http'
import { isTurnstoreError, type SessionStore, TurnstoreError } from '@turnstore/core'
import { badRequest, Refusal } from './refusal.js'

/** What the page may change. */
export interface Write {
  readonly id: string
  /** That the reader saw. Nobody has seen one of a damaged session. */
  readonly ifRevision: number
  readonly title: string
}

export type WriteRoute = (store: SessionStore, write: Write) => Promise<unknown>

/** An empty title removes it. */
export const rename: WriteRoute = async (store, { id, ifRevision, title }) => {
  const change = title === '' ? { unsetMetadata: ['title'] } : { setMetadata: { title } }
  const { revision } = await store.changeSession(id, change, { ifRevision })
  return { revision }
}

export const end: WriteRoute = async (store, { id, ifRevision }) => {
  const { revision } = await store.changeSession(id, { setMetadata: { ended: true } }, { ifRevision })
  return { revision }
}

export const remove: WriteRoute = async (store, { id, ifRevision }) => {
  if (await store.deleteSession(id, { ifRevision })) return { deleted: true }
  throw new TurnstoreError('SESSION_NOT_FOUND', 'The session does not exist', { sessionId: id })
}

/** Deletes a session that cannot be read, and no other. */
export const discard: WriteRoute = async (store, { id }) => {
  if (!(await isDamaged(store, id))) {
    throw new TurnstoreError('REVISION_CONFLICT', 'The session can be read: open it to delete it', { sessionId: id })
  }
  return { deleted: await store.deleteSession(id, { evenIfDamaged: true }) }
}

async function isDamaged(store: SessionStore, id: string): Promise<boolean> {
  try {
    await store.loadSession(id)
    return false
  } catch (error) {
    if (isTurnstoreError(error, 'CORRUPT_SESSION')) return true
    throw error
  }
}

const MOST_TEXT = 64 * 1024

/**
 * The body of a write. A form of another site cannot send it: it needs the page's own Origin and JSON.
 * @throws {Refusal}
 */
export async function readWrite(request: IncomingMessage): Promise<Write> {
  const { origin, 'content-type': type } = request.headers
  if (origin === undefined) throw new Refusal(403, 'FORBIDDEN', 'A write needs an Origin')
  if (type !== 'application/json') throw new Refusal(415, 'BAD_REQUEST', 'A write is application/json')
  request.setEncoding('utf8')
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > MOST_TEXT) throw new Refusal(413, 'BAD_REQUEST', 'The body is too large')
  }
  const { id, ifRevision = 0, title = '' } = parse(text)
  if (typeof id !== 'string' || typeof ifRevision !== 'number' || typeof title !== 'string') {
    throw badRequest('A write has an id, the revision that it changes, and perhaps a title')
  }
  return { id, ifRevision, title }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    throw badRequest('The body is no JSON')
  }
}
