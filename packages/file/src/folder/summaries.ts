import { lstatSync, type Stats, unlinkSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { JsonValue, LastTurn, SessionSummary } from '@turnstore/core'
import { isJsonObject, lastTurnOf, RecentMap, TimeSlice } from '@turnstore/core/adapter'
import { identify } from '../disk/file-identity.js'
import { readWhole } from '../disk/read-file.js'
import { replaceFile } from '../disk/replace-file.js'
import type { Layout, SessionPaths } from './layout.js'

/** About 100 MB at half a kilobyte each, and far more sessions than a folder serves well. */
const CACHED = 200_000

/** So many summaries are parsed or written without yielding. */
const LINE = 256

/** The first line. Another version begins in another way, and is ignored. */
const HEADER = '{"summaries":1}\n'

/** A file that changed this shortly before it was read may change again without another time. Clocks of file systems tick every 10 ms at most. */
const UNSETTLED_MS = 20

/** The version of a session's files. */
export interface FilesVersion {
  /** Device, inode, size and times of each. Changes with every change of the files. */
  readonly version: readonly number[]
  /** Whether a later change is certain to give another version. */
  readonly isSettled: boolean
}

interface Known extends Pick<FilesVersion, 'isSettled'> {
  /** Anything, if it was read from the file: it counts only if it equals that of the files. */
  readonly version: readonly unknown[]
  readonly place: Place
  readonly summary: SessionSummary
  /** The last listing that met it. */
  listing: number
}

/**
 * Summaries by the version of the files that they were read from, so that a listing reads only changed files. They
 * are kept in a file, so that a new process does not read every session either. The file is a cache: what is missing
 * or damaged in it, or was written for other files, is read from the sessions again.
 */
export class Summaries {
  readonly #path: string
  readonly #layout: Layout
  readonly #depth: number
  readonly #known = new RecentMap<Known>(CACHED)
  #loading: Promise<void> | null = null
  #saving: Promise<void> | null = null
  #listing = 0
  /** Summaries that were read since the file was written. */
  #unsaved = 0
  /** Whether the file was removed after a deletion. */
  #isRemoved = false

  /** @param depth how deep the JSON of a summary may be */
  constructor(path: string, layout: Layout, depth: number) {
    this.#path = path
    this.#layout = layout
    this.#depth = depth
  }

  /** The summary, if the files still have this version. The caller must copy it before giving it out. */
  get(paths: SessionPaths, { version }: FilesVersion): SessionSummary | undefined {
    const known = this.#known.get(keyOf(paths))
    if (known === undefined || !isSame(known.version, version)) return undefined
    known.listing = this.#listing
    return known.summary
  }

  set(paths: SessionPaths, version: FilesVersion, summary: SessionSummary): void {
    const { workspaceFolder, name } = paths
    this.#known.set(keyOf(paths), { ...version, place: { workspaceFolder, name }, summary, listing: this.#listing })
    this.#unsaved++
  }

  /** Forgets a session that was deleted, and removes the file: it has the end of the conversation, and metadata. */
  forget(paths: SessionPaths): void {
    this.#known.delete(keyOf(paths))
    this.#isRemoved = this.#remove() || this.#isRemoved
  }

  #remove(): boolean {
    try {
      unlinkSync(this.#path)
      return true
    } catch {
      // There is none, or the folder is read-only, and then nothing was deleted.
      return false
    }
  }

  beginListing(): void {
    this.#listing++
  }

  /**
   * Forgets sessions that a listing of all did not meet, and writes the file in the background if that costs less than
   * what it saves the next process.
   */
  endListing(isOfAll: boolean): void {
    let count = 0
    for (const { place, listing } of this.#known.values()) {
      if (isOfAll && listing < this.#listing) this.#known.delete(keyOf(place))
      else count++
    }
    if (this.#unsaved < 32 + count / 64 && !this.#isRemoved) return
    this.#unsaved = 0
    this.#isRemoved = false
    // A folder that cannot be written is listed as well.
    this.#saving ??= this.#save()
      .catch(() => undefined)
      .finally(() => (this.#saving = null))
  }

  /** Reads the file once, before many sessions are read. */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch(() => undefined)
    return this.#loading
  }

  /** Waits until the file is written. */
  async close(): Promise<void> {
    await this.#saving
  }

  async #load(): Promise<void> {
    const bytes = (await readWhole(this.#path))?.bytes ?? Buffer.alloc(0)
    if (bytes.toString('latin1', 0, HEADER.length) !== HEADER) return
    const slice = new TimeSlice()
    for (let at = HEADER.length; at < bytes.length;) {
      const lineBreak = bytes.indexOf('\n', at)
      const end = lineBreak === -1 ? bytes.length : lineBreak
      for (const entry of entriesOf(bytes.subarray(at, end))) this.#add(entry)
      at = end + 1
      if (slice.isOver) await slice.yield()
    }
  }

  /** What a document could not say in this place is not taken from the file either. */
  #add(entry: unknown): void {
    if (!isList(entry)) return
    const [workspaceFolder, name, version, members] = entry
    if (workspaceFolder !== null && typeof workspaceFolder !== 'string') return
    if (typeof name !== 'string' || !isList(version) || !isList(members)) return
    const summary = decodeSummary(members, this.#depth)
    if (summary === null) return
    const place = { workspaceFolder, name }
    if (!this.#layout.isPlaceOf(place, summary.sessionId, summary.workspaceId)) return
    this.#known.set(keyOf(place), { place, version, isSettled: true, summary, listing: this.#listing })
  }

  async #save(): Promise<void> {
    // Only beside the format of the folder: a listing creates no folder, and writes into none of the reference's.
    if (identify(this.#path.replace(/summaries$/, 'format')) === null) return
    const lines: Buffer[] = [Buffer.from(HEADER)]
    const slice = new TimeSlice()
    let entries: unknown[] = []
    const known = await this.#present([...this.#known.values()])
    for (const [at, { place, version, isSettled, summary }] of known.entries()) {
      if (isSettled) entries.push([place.workspaceFolder, place.name, version, encodeSummary(summary)])
      if (entries.length < LINE && at < known.length - 1) continue
      lines.push(lineOf(entries))
      entries = []
      if (slice.isOver) await slice.yield()
    }
    await replaceFile(this.#path, Buffer.concat(lines))
    // A session that another process deleted meanwhile would stay in the file.
    if ((await this.#present(known)).length < known.length) this.#isRemoved = this.#remove()
  }

  /** Those whose document is there. A listing of one workspace does not see what was deleted from the others. */
  async #present(known: readonly Known[]): Promise<Known[]> {
    const present: Known[] = []
    const slice = new TimeSlice()
    for (const each of known) {
      if (look(this.#layout.documentAt(each.place)) !== undefined) present.push(each)
      else this.#known.delete(keyOf(each.place))
      if (slice.isOver) await slice.yield()
    }
    return present
  }
}

/** Changes with every change of the session's files. Null if there is no document. */
export function versionOf(paths: SessionPaths, mayHaveJournal: boolean): FilesVersion | null {
  const document = look(paths.document)
  if (document === undefined) return null
  const version = numbersOf(document)
  let changedAt = document.ctimeMs
  for (const path of mayHaveJournal ? [paths.journal, paths.rotated] : []) {
    const journal = look(path)
    version.push(...(journal === undefined ? [0] : numbersOf(journal)))
    changedAt = Math.max(changedAt, journal?.ctimeMs ?? 0)
  }
  return { version, isSettled: changedAt < Date.now() - UNSETTLED_MS }
}

/** Not with `identify`: nanoseconds as a bigint cost more than the look itself, and here two files are never told apart by them. */
function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function numbersOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): number[] {
  return [dev, ino, size, mtimeMs, ctimeMs]
}

function isSame(a: readonly unknown[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, at) => number === b[at])
}

type Place = Pick<SessionPaths, 'workspaceFolder' | 'name'>

function keyOf({ workspaceFolder, name }: Place): string {
  return workspaceFolder === null ? name : `${workspaceFolder}/${name}`
}

function lineOf(entries: readonly unknown[]): Buffer {
  const text = JSON.stringify(entries)
  return Buffer.from(`${checksumOf(text)} ${text}\n`)
}

function checksumOf(content: string | Buffer): string {
  return crc32(content).toString(16).padStart(8, '0')
}

/** The entries of a line, or none if it is damaged. */
function entriesOf(line: Buffer): readonly unknown[] {
  const content = line.subarray(9)
  if (line.toString('latin1', 0, 8) !== checksumOf(content)) return []
  try {
    const entries: unknown = JSON.parse(content.toString())
    return isList(entries) ? entries : []
  } catch {
    return []
  }
}

/** As a list: names of members would be half of the file. */
function encodeSummary(summary: SessionSummary): unknown[] {
  const { sessionId, workspaceId, parentSessionId, agentId, createdAt, updatedAt, metadata } = summary
  const { revision, turnCount, agentTransitionCount, lastTurn } = summary
  const ids = [sessionId, workspaceId, parentSessionId, agentId]
  const last = lastTurn && [lastTurn.turnId, lastTurn.status, lastTurn.prompt, lastTurn.startedAt]
  return [...ids, createdAt, updatedAt, metadata, revision, turnCount, agentTransitionCount, last]
}

function decodeSummary(members: readonly unknown[], depth: number): SessionSummary | null {
  const [sessionId, workspaceId, parentSessionId, agentId, createdAt, updatedAt, metadata] = members
  const [revision, turnCount, agentTransitionCount, last] = members.slice(7)
  if (typeof sessionId !== 'string' || typeof createdAt !== 'string' || typeof updatedAt !== 'string') return null
  if (!isTextOrNull(workspaceId) || !isTextOrNull(parentSessionId) || !isTextOrNull(agentId)) return null
  if (!isJsonObject(metadata) || !isWithin(metadata, depth)) return null
  if (!isCount(revision) || !isCount(turnCount) || !isCount(agentTransitionCount)) return null
  const lastTurn = decodeLastTurn(last)
  if (lastTurn === undefined || (lastTurn === null) !== (turnCount === 0)) return null
  const ids = { sessionId, workspaceId, parentSessionId, agentId }
  return { ...ids, createdAt, updatedAt, metadata, revision, turnCount, agentTransitionCount, lastTurn }
}

/** Undefined if it is damaged. */
function decodeLastTurn(members: unknown): LastTurn | null | undefined {
  if (members === null) return null
  if (!isList(members)) return undefined
  const [turnId, status, prompt, startedAt] = members
  if (typeof turnId !== 'string' || typeof status !== 'string') return undefined
  if (typeof prompt !== 'string' || typeof startedAt !== 'string') return undefined
  return lastTurnOf({ turnId, status, prompt, startedAt })
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isWithin(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return depth > 0 && Object.values(value).every(member => isWithin(member, depth - 1))
}
