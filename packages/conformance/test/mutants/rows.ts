import { createHash, randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeSession, encodeSession, type SessionRecord, TurnstoreError } from '@turnstore/core'

/** A session as it is kept, and the version of that. */
export interface Row {
  readonly session: SessionRecord
  readonly token: number
}

/** What keeps rows: compare-and-set by key, in one step. */
export interface Rows {
  get(key: string): Promise<Row | null>
  put(key: string, session: SessionRecord, token: number | null): Promise<boolean>
  /** With null whatever there is, readable or not. */
  remove(key: string, token: number | null): Promise<boolean>
  all(): Promise<Row[]>
}

/** In the memory of this process, for all handles that share it. */
export class MemoryRows implements Rows {
  readonly map = new Map<string, { session: SessionRecord; token: number }>()
  readonly #damaged = new Set<string>()
  #versions = 0

  async get(key: string): Promise<Row | null> {
    if (this.#damaged.has(key)) throw new TurnstoreError('CORRUPT_SESSION', `The row ${key} is no session`)
    return this.map.get(key) ?? null
  }

  damage(key: string): void {
    this.#damaged.add(key)
  }

  repair(key: string): void {
    this.#damaged.delete(key)
  }

  async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    if ((this.map.get(key)?.token ?? null) !== token) return false
    this.map.set(key, { session, token: ++this.#versions })
    return true
  }

  async remove(key: string, token: number | null): Promise<boolean> {
    if (token !== null && this.map.get(key)?.token !== token) return false
    this.#damaged.delete(key)
    return this.map.delete(key)
  }

  async all(): Promise<Row[]> {
    return [...this.map.values()]
  }
}

/**
 * In a folder, for all processes of a host. Each version of a row is a file that is written beside and linked to its
 * name, which fails where somebody was first. A delete is a version without a session, so that numbers go on, and no
 * version is cleared away: a writer that is late by as many could take its number again.
 */
export class FileRows implements Rows {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  async get(key: string): Promise<Row | null> {
    return this.read(this.pathOf(key))
  }

  async put(key: string, session: SessionRecord, token: number | null): Promise<boolean> {
    return this.write(key, JSON.stringify({ key, session: encodeSession(session) }), token)
  }

  async remove(key: string, token: number | null): Promise<boolean> {
    const current = token ?? (await this.newest(this.pathOf(key)))
    return this.write(key, JSON.stringify({ key, session: null }), current)
  }

  async all(): Promise<Row[]> {
    const folders = await readdir(this.folder)
    const rows = await Promise.all(folders.map(name => this.read(join(this.folder, name))))
    return rows.filter(row => row !== null)
  }

  protected pathOf(key: string): string {
    return join(this.folder, createHash('sha256').update(key).digest('hex'))
  }

  protected async read(path: string): Promise<Row | null> {
    const version = await this.newest(path)
    if (version === 0) return null
    const { session } = documentOf(await readFile(join(path, String(version)), 'utf8'))
    return session === null ? null : { session: decodeSession(session), token: version }
  }

  protected async write(key: string, text: string, token: number | null): Promise<boolean> {
    const path = this.pathOf(key)
    await mkdir(path, { recursive: true })
    const version = await this.newest(path)
    const current = await this.read(path)
    if ((current?.token ?? null) !== token || (current !== null && current.token !== version)) return false
    const beside = join(path, `.${randomUUID()}`)
    await writeFile(beside, text)
    try {
      await link(beside, join(path, String(version + 1)))
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false
      throw error
    } finally {
      await rm(beside)
    }
    return true
  }

  protected async newest(path: string): Promise<number> {
    const names = await readdir(path).catch((error: unknown) => {
      if (isCode(error, 'ENOENT')) return []
      throw error
    })
    return Math.max(0, ...names.map(Number).filter(Number.isInteger))
  }
}

/** What a file holds. */
export function documentOf(text: string): { version: number; session: unknown } {
  const document: unknown = JSON.parse(text)
  if (typeof document !== 'object' || document === null || !('session' in document)) throw new Error('no document')
  const version = 'version' in document ? Number(document.version) : 0
  return { version, session: document.session }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
