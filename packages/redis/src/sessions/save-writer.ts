import { isTurnstoreError, type SessionRecord } from '@turnstore/core'
import {
  Backoff,
  type Condition,
  type Creation,
  type RememberedChange,
  revisionConflict,
  sessionExists,
  timeKey,
  withOutcome,
} from '@turnstore/core/adapter'
import { type EncodedSave, encodeSave } from '../format/encoded-save.js'
import { encodeRemembering } from '../format/remembered-text.js'
import { type IndexOrder, type Keyspace, keyField, workspaceField } from '../format/keyspace.js'
import { readWritten, refusalOf } from '../format/script-replies.js'
import { encodeFrame, type Stamped } from '../format/session-head.js'
import { memberOf, newStamp } from '../listing/index-entry.js'
import type { IndexSync } from '../listing/index-sync.js'
import type { IndexWriter, PlacedEntry } from '../listing/index-writer.js'
import { storeBusy } from '../server/redis-errors.js'
import type { Args, Call, ServerConnection } from '../server/server-connection.js'
import { newToken } from '../server/token.js'
import type { SessionLoader } from './session-loader.js'

/** The most turns and bytes that one script writes. A longer session is staged in parts. */
const PART = { items: 400, bytes: 512 * 1024 }

/** Saves whole sessions. */
export class SaveWriter {
  readonly #connection: ServerConnection
  readonly #keyspace: Keyspace
  readonly #index: IndexWriter
  readonly #loader: SessionLoader
  readonly #sync: IndexSync
  readonly #ttlMs: number

  constructor(
    connection: ServerConnection,
    keyspace: Keyspace,
    index: IndexWriter,
    loader: SessionLoader,
    sync: IndexSync,
    ttlMs: number,
  ) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#index = index
    this.#loader = loader
    this.#sync = sync
    this.#ttlMs = ttlMs
  }

  /** False if there is a session with this id by now. */
  async create({ session, remember }: Creation, call: Call): Promise<boolean> {
    try {
      await this.save(session, { ifRevision: 0, scope: undefined }, call, remember)
      return true
    } catch (error) {
      if (isTurnstoreError(error, 'REVISION_CONFLICT') || isTurnstoreError(error, 'SESSION_EXISTS')) return false
      throw error
    }
  }

  /** @param remember what a session that is created remembers */
  async save(
    session: SessionRecord,
    { ifRevision }: Condition,
    call: Call,
    remember?: RememberedChange,
  ): Promise<number> {
    const { sessionId, workspaceId } = session
    const encoded = encodeSave(session)
    const stamp = newStamp(this.#connection.serverTime(call.deadline))
    const updated = { time: timeKey(session.updatedAt), stamp }
    const created = { time: timeKey(session.createdAt), stamp }
    const entries = [
      ...this.#entries('updated', workspaceId, sessionId, updated),
      ...this.#entries('created', workspaceId, sessionId, created),
    ]
    const args = [
      this.#ttlMs,
      workspaceField(workspaceId),
      ifRevision ?? '',
      newToken(),
      encodeFrame(session),
      JSON.stringify(session.metadata),
      JSON.stringify(session.updatedAt),
      updated.time,
      stamp,
      created.time,
      stamp,
      encoded.turns.length,
      encoded.transitions.length,
    ]
    const remembering = [keyField(remember?.key), remember === undefined ? '' : encodeRemembering(remember)]
    // Most saves create a session, so a short one is sent at once. The script answers 'stale' if a session is there.
    const looksFirst = (ifRevision ?? 0) > 0 || isLong(encoded)
    const before = looksFirst ? await this.#examine(session, call) : ''
    // The entries come first: no listing would find a session that is in no index.
    await withOutcome('not-stored', () => this.#index.add(entries, call))
    const reply = await this.#saveOver(session, encoded, args, remembering, before, call).catch((error: unknown) => {
      if (isTurnstoreError(error, 'CORRUPT_SESSION')) this.#index.remove(entries)
      throw error
    })
    const refusal = refusalOf(sessionId, reply)
    const written = refusal === null ? readWritten(reply) : null
    if (written === null) {
      this.#index.remove(entries)
      if (refusal !== null) throw refusal
      if (reply[0] === 'exists') throw sessionExists(sessionId)
      if (reply[0] === 'conflict') throw revisionConflict(sessionId, ifRevision ?? 0, Number(reply[1]))
      throw storeBusy(sessionId)
    }
    this.#sync.remember(sessionId, workspaceId)
    if (written.before.stamp !== '') {
      const [time = '', stampBefore = ''] = reply.slice(8)
      // An instant that did not change keeps its old entry, and the new one is removed.
      const oldOf = (now: Stamped, before: Stamped): Stamped => (now.time === before.time ? now : before)
      this.#index.remove([
        ...this.#entries('updated', workspaceId, sessionId, oldOf(updated, written.before)),
        ...this.#entries('created', workspaceId, sessionId, oldOf(created, { time, stamp: stampBefore })),
      ])
    }
    return written.revision
  }

  /** Saves over the session that was read. If another has taken its place, reads that one and tries again. */
  async #saveOver(
    session: SessionRecord,
    encoded: EncodedSave,
    args: Args,
    remembering: Args,
    before: string,
    call: Call,
  ): Promise<string[]> {
    let backoff: Backoff | null = null
    for (let generation = before; ; generation = await this.#examine(session, call)) {
      const reply = await this.#sendSave(
        session.sessionId,
        encoded,
        [...args, generation, ...remembering, encoded.parts.length / 2],
        call,
      )
      if (reply[0] !== 'stale') return reply
      if (backoff !== null && !(await backoff.wait())) return reply
      backoff ??= new Backoff(call.deadline - performance.now())
    }
  }

  /** The generation of the session that a save replaces. '' if there is none in its workspace. */
  async #examine({ sessionId, workspaceId }: SessionRecord, call: Call): Promise<string> {
    const whole = await withOutcome('not-stored', () => this.#loader.examine(sessionId, workspaceId, call))
    return whole?.head.state.generation ?? ''
  }

  async #sendSave(sessionId: string, save: EncodedSave, args: Args, call: Call): Promise<string[]> {
    const keys = this.#keyspace.session(sessionId)
    const { turns, transitions, ids, parts } = save
    if (!isLong(save)) {
      const texts = [ids.length, ...turns, ...transitions, ...ids.flat(), ...parts]
      return this.#connection.operate('save', keys, [...args, ...texts], call)
    }
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const token = newToken()
      const staged = this.#keyspace.staged(sessionId, token)
      if (await withOutcome('not-stored', () => this.#stage(staged, save, call, token))) {
        const reply = await this.#connection.operate('save', [...keys, ...staged], args, call)
        if (reply[0] !== 'unstaged') return reply
      }
      if (!(await backoff.wait())) return ['unstaged']
    }
  }

  /** Sends a long session part by part. False if an earlier part is gone. */
  async #stage(keys: readonly string[], save: EncodedSave, call: Call, token: string): Promise<boolean> {
    const expiresIn = Math.ceil(call.deadline - performance.now()) + 60_000
    for (const { turns, transitions, ids, parts, firstTurn, firstTransition } of save.slices(PART)) {
      const reply = await this.#connection.prepare(
        'stage',
        keys,
        [
          expiresIn,
          firstTurn,
          firstTransition,
          turns.length,
          transitions.length,
          ids.length,
          parts.length / 2,
          ...turns,
          ...transitions,
          ...ids.flat(),
          ...parts,
        ],
        call,
        token,
      )
      if (reply[0] !== 'ok') return false
    }
    return true
  }

  #entries(order: IndexOrder, workspaceId: string | null, sessionId: string, place: Stamped): PlacedEntry[] {
    const member = memberOf(sessionId, place)
    return this.#keyspace.indexesOf(order, workspaceId).map(key => ({ key, member }))
  }
}

function isLong({ items, bytes }: EncodedSave): boolean {
  return items > PART.items || bytes > PART.bytes
}
