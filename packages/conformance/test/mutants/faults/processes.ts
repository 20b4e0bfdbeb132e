import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeSession, encodeSession, type SessionRecord } from '@turnstore/core'
import { onFiles } from '../mutant.ts'
import type { Faults } from '../row-store.ts'
import { documentOf, FileRows, type Row } from '../rows.ts'

/** One document a session, replaced by rename, as most stores on files do. Its condition is as good as its lock. */
export class DocumentRows extends FileRows {
  readonly #queues = new Map<string, Promise<unknown>>()

  override put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    return this.inTurn(key, async () => {
      if (((await this.get(key))?.token ?? null) !== token) return false
      await this.replace(key, JSON.stringify({ version: Math.random(), session: encodeSession(session) }))
      return true
    })
  }

  override remove(key: string, token: number): Promise<boolean> {
    return this.inTurn(key, async () => {
      if ((await this.get(key))?.token !== token) return false
      await rm(this.pathOf(key))
      return true
    })
  }

  protected async replace(key: string, text: string): Promise<void> {
    const beside = join(this.folder, `.${randomUUID()}`)
    await writeFile(beside, text)
    await rename(beside, this.pathOf(key))
  }

  protected override async read(path: string): Promise<Row | null> {
    if (/\/\.[^/]*$/.test(path)) return null
    const text = await readFile(path, 'utf8').catch(() => null)
    if (text === null) return null
    const { version, session } = documentOf(text)
    return { session: decodeSession(session), token: version }
  }

  /** One after the other, in this process. */
  protected inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#queues.get(key) ?? Promise.resolve()).then(work)
    this.#queues.set(
      key,
      result.catch(() => {}),
    )
    return result
  }
}

/** Looks and writes without any lock. */
class UnlockedRows extends DocumentRows {
  protected override inTurn<T>(_key: string, work: () => Promise<T>): Promise<T> {
    return work()
  }
}

/** A lock that is a folder. Here it is taken away after a while, held or not. */
class ImpatientRows extends DocumentRows {
  protected override inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    return super.inTurn(key, async () => {
      const lock = join(this.folder, `.${this.pathOf(key).slice(-8)}.lock`)
      for (let attempts = 0; ; attempts++) {
        const isMine = await mkdir(lock).then(
          () => true,
          () => false,
        )
        if (isMine || attempts >= 2) break
        await new Promise(setImmediate)
      }
      try {
        return await work()
      } finally {
        await rm(lock, { recursive: true, force: true })
      }
    })
  }
}

/** A right store in one process, and in the next one too as long as it does not look for others. */
function remembering(): Faults {
  const known = new Map<string, Awaited<ReturnType<FileRows['get']>>>()
  return {
    async load(next, id, scope) {
      const row = known.get(id)
      if (row) return { session: structuredClone(row.session), token: row.token }
      const found = await next(id, scope)
      if (found && typeof found.token === 'number')
        known.set(id, { session: structuredClone(found.session), token: found.token })
      return found
    },
    save: (next, session, token) => next(session, token).finally(() => known.delete(session.sessionId)),
    delete: (next, id, token) => next(id, token).finally(() => known.delete(id)),
  }
}

export const processes = onFiles('processes', {
  'locks in its own process alone': ['a mutex in memory around files that others write too', DocumentRows],
  'locks nothing': ['look, then write', UnlockedRows],
  'breaks a lock that is held': ['a lock that is taken for stale too soon', ImpatientRows],
  'reads what others change from a cache': ['a cache that only the own writes clear', FileRows, remembering],
  'counts revisions in its own process': [
    'a counter in memory',
    FileRows,
    () => {
      const last = new Map<string, number>()
      return {
        async change(next, id, change, on) {
          const result = await next(id, change, on)
          const revision = Math.max(result.revision, 0)
          const mine = last.get(id)
          const given = mine === undefined || change.appendTurns.length === 0 ? revision : mine + 1
          last.set(id, given)
          return { ...result, revision: given }
        },
      }
    },
  ],
  'recognises retries of its own process alone': [
    'ids that were seen, in memory',
    FileRows,
    () => {
      const mine = new Set<string>()
      return {
        async change(next, id, change, on) {
          const appendTurns = change.appendTurns.map(turn =>
            mine.has(turn.turnId) ? turn : { ...turn, metadata: { ...turn.metadata, by: process.pid } },
          )
          const result = await next(id, { ...change, appendTurns }, on)
          for (const { turnId } of appendTurns) mine.add(turnId)
          return result
        },
      }
    },
  ],
  'has its data in its own process': [
    'a database in memory, shared by the handles of one process',
    FileRows,
    () => {
      const isChild = process.argv[1]?.endsWith('worker.js') === true
      return { load: async (next, id, scope) => (isChild ? null : next(id, scope)) }
    },
  ],
})
