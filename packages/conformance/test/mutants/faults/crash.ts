import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeSession, encodeSession, type JsonValue, type SessionRecord, TurnstoreError } from '@turnstore/core'
import { onFiles } from '../mutant.ts'
import type { Faults } from '../row-store.ts'
import { documentOf, FileRows, isCode, type Row } from '../rows.ts'

/** Keeps what it acknowledges in memory, and writes it a moment later. */
class LaterRows extends FileRows {
  readonly #newest = new Map<string, { row: Row | null; written: Promise<unknown> }>()

  override async get(key: string): Promise<Row | null> {
    const mine = this.#newest.get(key)
    return mine === undefined ? super.get(key) : mine.row
  }

  override async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    const current = await this.get(key)
    const mine = this.#newest.get(key)
    if (((mine === undefined ? current : mine.row)?.token ?? null) !== token) return false
    const row = { session: structuredClone(session), token: (token ?? 0) + 1 }
    const written = sleep(8).then(async () => {
      const disk = await super.get(key)
      await super.put(key, session, disk?.token ?? null)
      if (this.#newest.get(key)?.row === row) this.#newest.delete(key)
    })
    this.#newest.set(key, { row, written })
    return true
  }
}

/** Acknowledges a delete before it is done. */
class LateDeletes extends FileRows {
  readonly #gone = new Set<string>()

  override async get(key: string): Promise<Row | null> {
    return this.#gone.has(key) ? null : super.get(key)
  }

  override async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    if (token !== null || !this.#gone.has(key)) return super.put(key, session, token)
    await sleep(12)
    return super.put(key, session, null)
  }

  override async remove(key: string, token: number): Promise<boolean> {
    this.#gone.add(key)
    void sleep(10).then(async () => {
      await super.remove(key, token)
      this.#gone.delete(key)
    })
    return true
  }
}

/** Puts a document in its place by writing over it, under a lock that is a folder. */
class LockedDocuments extends FileRows {
  override put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    return this.locked(key, async () => {
      const current = await this.get(key)
      if ((current?.token ?? null) !== token) return false
      await this.store(key, { version: Math.random(), session: encodeSession(session) })
      return true
    })
  }

  override remove(key: string, token: number): Promise<boolean> {
    return this.locked(key, async () => {
      if ((await this.get(key))?.token !== token) return false
      await rm(this.pathOf(key))
      return true
    })
  }

  protected async store(key: string, document: object): Promise<void> {
    await writeFile(this.pathOf(key), JSON.stringify(document))
  }

  protected override async read(path: string): Promise<Row | null> {
    if (/\/\.[^/]*$/.test(path)) return null
    for (let attempts = 0; ; attempts++) {
      try {
        const { version, session } = documentOf(await readFile(path, 'utf8'))
        return { session: decodeSession(session), token: version }
      } catch (error) {
        if (isCode(error, 'ENOENT')) return null
        // Perhaps somebody is writing it this moment.
        if (attempts > 40) throw new TurnstoreError('CORRUPT_SESSION', 'not JSON')
        await sleep(2)
      }
    }
  }

  protected async locked<T>(key: string, work: () => Promise<T>): Promise<T> {
    const lock = `${this.folder}/.${this.pathOf(key).slice(-16)}.lock`
    const deadline = Date.now() + 1500
    for (;;) {
      const isMine = await mkdir(lock).then(
        () => true,
        () => false,
      )
      if (isMine) break
      if (await this.isStale(lock)) await rm(lock, { recursive: true, force: true })
      if (Date.now() > deadline) throw new TurnstoreError('STORE_BUSY', 'the lock is held', { outcome: 'not-stored' })
      await sleep(1)
    }
    try {
      await writeFile(join(lock, String(process.pid)), '')
      return await work()
    } finally {
      await rm(lock, { recursive: true, force: true })
    }
  }

  protected async isStale(lock: string): Promise<boolean> {
    const [pid] = await readdir(lock).catch(() => [])
    if (pid === undefined) return false
    try {
      process.kill(Number(pid), 0)
      return false
    } catch {
      return true
    }
  }
}

/** Writes in several steps, so that a kill comes between them. */
class TornDocuments extends LockedDocuments {
  protected override async store(key: string, document: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(document))
    const file = await open(this.pathOf(key), 'w')
    for (let at = 0; at < bytes.length; at += 4096) await file.write(bytes, at, Math.min(4096, bytes.length - at))
    await file.close()
  }
}

/** Never takes the lock of the dead away. */
class DeadLocks extends LockedDocuments {
  protected override async isStale(): Promise<boolean> {
    return false
  }
}

/** A list of ids beside the sessions, for listing. */
class IndexedRows extends FileRows {
  override async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    const stored = await super.put(key, session, token)
    if (stored && token === null) {
      // As long as the sync of a slow disk takes.
      await sleep(6)
      await writeFile(this.#entry(key), key)
    }
    return stored
  }

  override async all(): Promise<Row[]> {
    const keys = (await readdir(this.folder)).filter(name => name.startsWith('index-'))
    const rows = await Promise.all(keys.map(async name => this.get(await readFile(join(this.folder, name), 'utf8'))))
    return rows.filter(row => row !== null)
  }

  #entry(key: string): string {
    return join(this.folder, `index-${this.pathOf(key).slice(-64)}`)
  }
}

/** An entry of a list before the session that it stands for. */
class AnnouncedRows extends FileRows {
  override async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    if (token === null) {
      await writeFile(this.#entry(key), '')
      await sleep(6)
    }
    return super.put(key, session, token)
  }

  override async remove(key: string, token: number): Promise<boolean> {
    const isGone = await super.remove(key, token)
    if (isGone) await rm(this.#entry(key), { force: true })
    return isGone
  }

  override async all(): Promise<Row[]> {
    const entries = (await readdir(this.folder)).filter(name => name.startsWith('entry-'))
    const keys = entries.map(name => decodeURIComponent(name.slice('entry-'.length)))
    return Promise.all(
      keys.map(async key => (await this.get(key)) ?? { session: decodeSession({ session_id: key }), token: 0 }),
    )
  }

  #entry(key: string): string {
    return join(this.folder, `entry-${encodeURIComponent(key)}`)
  }
}

/** Takes the last version of a process that has died for half written. */
class DistrustfulRows extends FileRows {
  override async get(key: string): Promise<Row | null> {
    const writer = join(this.pathOf(key), '.writer')
    const pid = Number(await readFile(writer, 'utf8').catch(() => process.pid))
    if (!isAlive(pid)) {
      await rm(writer, { force: true })
      await rm(join(this.pathOf(key), String(await this.newest(this.pathOf(key)))), { force: true })
    }
    return super.get(key)
  }

  override async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    const stored = await super.put(key, session, token)
    if (stored) await writeFile(join(this.pathOf(key), '.writer'), String(process.pid))
    return stored
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** A change in two steps: what `first` leaves of it, and the whole. */
function inTwo(first: (before: SessionRecord, after: SessionRecord) => SessionRecord): () => Faults {
  return () => {
    // One after the other on a session, in this process: only a kill comes between the two steps.
    const queues = new Map<string, Promise<unknown>>()
    const inTurn = <T>(id: string, work: () => Promise<T>): Promise<T> => {
      const result = (queues.get(id) ?? Promise.resolve()).then(work)
      queues.set(
        id,
        result.catch(() => {}),
      )
      return result
    }
    return {
      change: (next, ...args) => inTurn(args[0], () => next(...args)),
      replace: (next, ...args) => inTurn(args[0].sessionId, () => next(...args)),
      remove: (next, ...args) => inTurn(args[0], () => next(...args)),
      async save(next, session, token) {
        const before = token === null ? null : ((await this._get(session.sessionId, undefined))?.session ?? null)
        if (before === null) return next(session, token)
        if (!(await next(first(before, session), token))) return false
        await sleep(3)
        const half = await this._get(session.sessionId, undefined)
        return half === null ? true : next(session, half.token)
      },
    }
  }
}

export const crash = onFiles(
  'crash',
  {
    'acknowledges before it has written': ['write-behind', LaterRows],
    'acknowledges a delete before it is done': ['a delete that is queued', LateDeletes],
    'writes over what is there': ['a file that is truncated and written anew', TornDocuments],
    'never frees the lock of a killed process': ['a lock without an owner', DeadLocks],
    'leaves turns without their metadata': [
      'two statements without a transaction',
      FileRows,
      inTwo((before, after) => ({ ...after, metadata: before.metadata })),
    ],
    'leaves metadata without its turns': [
      'two statements without a transaction',
      FileRows,
      inTwo((before, after) => ({ ...before, metadata: after.metadata })),
    ],
    'leaves turns without their transitions': [
      'two tables without a transaction',
      FileRows,
      inTwo((before, after) => ({ ...after, agentTransitions: before.agentTransitions })),
    ],
    'leaves a batch half stored': [
      'a loop of INSERTs',
      FileRows,
      inTwo((before, after) =>
        after.turns.length > before.turns.length + 1 ? { ...after, turns: after.turns.slice(0, -1) } : after,
      ),
    ],
    'leaves a turn half updated': [
      'calls and members in two statements',
      FileRows,
      inTwo((before, after) => ({
        ...after,
        turns: after.turns.map((turn, index) => ({
          ...turn,
          toolCalls: before.turns[index]?.toolCalls ?? turn.toolCalls,
        })),
      })),
    ],
    'leaves a rewind half done': [
      'turn after turn is deleted',
      FileRows,
      inTwo((before, after) =>
        after.turns.length < before.turns.length - 1 ? { ...before, turns: before.turns.slice(0, -1) } : after,
      ),
    ],
    'deletes before it saves': [
      'DELETE and INSERT without a transaction',
      FileRows,
      () => ({
        async save(next, session, token) {
          if (typeof token !== 'number' || session.turns.length > 4) return next(session, token)
          if (!(await this._delete(session.sessionId, token))) return false
          await sleep(1)
          return next(session, null)
        },
      }),
    ],
    'raises the revision before it writes': [
      'a counter in another place',
      FileRows,
      inTwo((before, after) => ({ ...before, revision: after.revision })),
    ],
    'forgets to list what was created by a killed process': ['an index that is written behind', IndexedRows],
    'lists what a killed process has not come to create': [
      'an index that is written first, and believed',
      AnnouncedRows,
    ],
    'takes back what a killed process has written last': ['the end of a log that may be torn', DistrustfulRows],
    'applies the retry of a killed process again': [
      'ids of turns that are remembered in the process',
      FileRows,
      () => {
        const mine = new Set<string>()
        return {
          async change(next, id, change, on) {
            const known = new Set((await this._get(id, undefined))?.session.turns.map(({ turnId }) => turnId))
            const appendTurns = change.appendTurns.map(turn =>
              known.has(turn.turnId) && !mine.has(turn.turnId) ? { ...turn, turnId: `${turn.turnId} again` } : turn,
            )
            for (const { turnId } of change.appendTurns) mine.add(turnId)
            return next(id, { ...change, appendTurns }, on)
          },
        }
      },
    ],
    'applies the retry of a change with a key again': [
      'keys that are remembered in the process',
      FileRows,
      () => {
        const mine = new Map<string, JsonValue>()
        const withKeys = (record: SessionRecord, keys: JsonValue | undefined): SessionRecord => {
          const { 'turnstore.keys': _keys, ...extra } = record.extra ?? {}
          return { ...record, extra: keys === undefined ? extra : { ...extra, 'turnstore.keys': keys } }
        }
        return {
          read: record => withKeys(record, mine.get(record.sessionId)),
          write(record) {
            mine.set(record.sessionId, record.extra?.['turnstore.keys'] ?? [])
            return withKeys(record, undefined)
          },
        }
      },
    ],
    'fails the retry of a killed process': [
      'a conflict in place of a repetition',
      FileRows,
      () => ({
        async change(next, id, change, on) {
          const { session } = (await this._get(id, undefined)) ?? {}
          if (session && on.ifRevision !== undefined && on.ifRevision < session.revision)
            throw new TurnstoreError('STORE_BUSY', 'overtaken', { outcome: 'not-stored' })
          return next(id, change, on)
        },
      }),
    ],
  },
  fault => {
    if (fault.includes('retry')) return 'repeats the calls of a killed one'
    if (fault.includes('list')) return 'while it creates and deletes'
    return /^(leaves|acknowledges a delete|deletes|raises)/.test(fault)
      ? 'applied or not applied'
      : 'every append that was acknowledged'
  },
)
