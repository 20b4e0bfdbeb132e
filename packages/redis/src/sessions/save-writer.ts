import { isTurnstoreError, type SessionRecord } from '@turnstore/core'
import { Backoff, type Condition, revisionConflict, sessionExists, timeKey, withOutcome } from '@turnstore/core/adapter'
import { type Args, type Call, type ServerConnection, newToken } from '../server/server-connection.js'
import { type IndexOrder, type Keyspace, workspaceField } from '../format/keyspace.js'
import { readWritten, refusalOf } from '../format/script-replies.js'
import type { IndexSync } from '../listing/index-sync.js'
import { storeBusy } from '../server/redis-errors.js'
import { encodeSave, type EncodedSave } from '../format/encoded-save.js'
import type { IndexWriter, Placed } from '../listing/index-writer.js'
import { memberOf, newStamp } from '../listing/index-entry.js'
import type { SessionLoader } from './session-loader.js'
import { encodeFrame, type Stamped } from '../format/session-head.js'

/** Most turns and bytes that one script writes; a longer session is put together in parts. */
const PART = { items: 1000, bytes: 2 * 1024 * 1024 }

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

  async save(session: SessionRecord, { ifRevision }: Condition, call: Call): Promise<number> {
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
      encodeFrame({ ...session, turnCount: 0, agentTransitionCount: 0 }),
      JSON.stringify(session.metadata),
      JSON.stringify(session.updatedAt),
      updated.time,
      stamp,
      created.time,
      stamp,
      encoded.turns.length,
      encoded.transitions.length,
    ]
    // Most saves create: where that is likely and costs little, the script finds out whether there is something to look at.
    const looksFirst = (ifRevision ?? 0) > 0 || isLong(encoded)
    const before = looksFirst ? await this.#examine(session, call) : ''
    // First of all: a session that no index has would be found by nobody.
    await withOutcome('not-stored', () => this.#index.add(entries, call))
    const reply = await this.#saveOver(session, encoded, args, before, call).catch((error: unknown) => {
      if (isTurnstoreError(error, 'CORRUPT_SESSION')) this.#index.leave(entries)
      throw error
    })
    const refusal = refusalOf(sessionId, reply)
    const written = refusal === null ? readWritten(reply) : null
    if (written === null) {
      this.#index.leave(entries)
      if (refusal !== null) throw refusal
      if (reply[0] === 'exists') throw sessionExists(sessionId)
      if (reply[0] === 'conflict') throw revisionConflict(sessionId, ifRevision ?? 0, Number(reply[1]))
      throw storeBusy(sessionId)
    }
    this.#sync.remember(sessionId, workspaceId)
    if (written.before.stamp !== '') {
      const [time = '', stampBefore = ''] = reply.slice(9)
      // An instant that stays as it was keeps its entry; then the new one goes.
      const oldOf = (now: Stamped, before: Stamped): Stamped => (now.time === before.time ? now : before)
      this.#index.leave([
        ...this.#entries('updated', workspaceId, sessionId, oldOf(updated, written.before)),
        ...this.#entries('created', workspaceId, sessionId, oldOf(created, { time, stamp: stampBefore })),
      ])
    }
    return written.revision
  }

  /** Saves on condition that what is replaced was read as a whole, and reads it again where it has become another. */
  async #saveOver(
    session: SessionRecord,
    encoded: EncodedSave,
    args: Args,
    before: string,
    call: Call,
  ): Promise<string[]> {
    // One operation, so that an attempt which is delivered again is told by the result of the one that succeeded.
    const token = newToken()
    let backoff: Backoff | null = null
    for (let generation = before; ; generation = await this.#examine(session, call)) {
      const reply = await this.#sendSave(session.sessionId, encoded, [...args, generation], call, token)
      if (reply[0] !== 'stale') return reply
      if (backoff !== null && !(await backoff.wait())) return reply
      backoff ??= new Backoff(call.deadline - performance.now())
    }
  }

  /** The generation of the session that a save replaces; '' where there is none in its workspace. */
  async #examine({ sessionId, workspaceId }: SessionRecord, call: Call): Promise<string> {
    const whole = await withOutcome('not-stored', () => this.#loader.examine(sessionId, workspaceId, call))
    return whole?.head.generation ?? ''
  }

  async #sendSave(
    sessionId: string,
    save: EncodedSave,
    args: Args,
    call: Call,
    operation: string,
  ): Promise<string[]> {
    const keys = this.#keyspace.session(sessionId)
    const { turns, transitions, ids } = save
    if (!isLong(save)) {
      const texts = [ids.length, ...turns, ...transitions, ...ids.flat()]
      return this.#connection.operate('save', keys, [...args, ...texts], call, operation)
    }
    const backoff = new Backoff(call.deadline - performance.now())
    for (;;) {
      const token = newToken()
      const staged = this.#keyspace.staged(sessionId, token)
      if (await withOutcome('not-stored', () => this.#stage(staged, save, call, token))) {
        const reply = await this.#connection.operate('save', [...keys, ...staged], args, call, operation)
        if (reply[0] !== 'unstaged') return reply
      }
      if (!(await backoff.wait())) return ['unstaged']
    }
  }

  /** Brings a long session to the server part by part; false where a part was lost on the way. */
  async #stage(keys: readonly string[], save: EncodedSave, call: Call, token: string): Promise<boolean> {
    const stay = Math.ceil(call.deadline - performance.now()) + 60_000
    for (const { turns, transitions, ids, firstTurn, firstTransition } of save.parts(PART)) {
      const reply = await this.#connection.prepare(
        'stage',
        keys,
        [
          stay,
          firstTurn,
          firstTransition,
          turns.length,
          transitions.length,
          ids.length,
          ...turns,
          ...transitions,
          ...ids.flat(),
        ],
        call,
        token,
      )
      if (reply[0] !== 'ok') return false
    }
    return true
  }

  #entries(order: IndexOrder, workspaceId: string | null, sessionId: string, place: Stamped): Placed[] {
    const member = memberOf(sessionId, place)
    return this.#keyspace.indexesOf(order, workspaceId).map(key => ({ key, member }))
  }
}

function isLong({ items, bytes }: EncodedSave): boolean {
  return items > PART.items || bytes > PART.bytes
}
