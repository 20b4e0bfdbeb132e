import { encodeSession, type JsonObject, printableLine, type SessionRecord } from '@turnstore/core'
import { timeKey } from '@turnstore/core/adapter'
import type { Paint } from '../terminal/colors.js'
import { figure } from '../terminal/figure.js'
import { tableLines } from './table.js'

/** Figures of some sessions. */
class Figures {
  sessions = 0
  running = 0
  turns = 0
  parts = 0
  bytes = 0
  /** Of the last changes, as stored; null if no session has a time. */
  oldest: string | null = null
  newest: string | null = null

  json(): JsonObject {
    const { sessions, running, turns, parts, bytes, oldest, newest } = this
    return { sessions, running, turns, parts, bytes, oldest, newest }
  }

  add(session: SessionRecord, bytes: number): void {
    const { turns, updatedAt } = session
    this.sessions++
    this.turns += turns.length
    this.parts += turns.reduce((sum, { toolCalls, items }) => sum + toolCalls.length + items.length, 0)
    this.bytes += bytes
    if (turns.at(-1)?.status === 'running') this.running++
    if (timeKey(updatedAt) === '') return
    if (this.oldest === null || timeKey(updatedAt) < timeKey(this.oldest)) this.oldest = updatedAt
    if (this.newest === null || timeKey(updatedAt) > timeKey(this.newest)) this.newest = updatedAt
  }
}

/** Figures of a store, altogether and by workspace. */
export class StoreStats {
  readonly #all = new Figures()
  readonly #byWorkspace = new Map<string | null, Figures>()

  add(session: SessionRecord): void {
    const bytes = Buffer.byteLength(JSON.stringify(encodeSession(session)))
    const { workspaceId } = session
    const ofWorkspace = this.#byWorkspace.get(workspaceId) ?? new Figures()
    this.#byWorkspace.set(workspaceId, ofWorkspace)
    for (const figures of [this.#all, ofWorkspace]) figures.add(session, bytes)
  }

  json(): unknown {
    const workspaces = this.#sorted().map(([workspace_id, figures]) => ({ workspace_id, ...figures.json() }))
    return { ...this.#all.json(), workspaces }
  }

  lines(paint: Paint, width?: number): string[] {
    const { sessions, running, turns, parts, bytes, oldest, newest } = this.#all
    const facts = [
      ['Sessions', figure(sessions)],
      ['Running', figure(running)],
      ['Turns', figure(turns)],
      ['Parts', figure(parts)],
      ['Bytes', figure(bytes)],
      ['Oldest', oldest ?? '-'],
      ['Newest', newest ?? '-'],
    ] as const
    const overview = facts.map(([name, value]) => `${paint('bold', name.padEnd(8))}  ${printableLine(value)}`)
    const isPlain = this.#byWorkspace.size === 0 || (this.#byWorkspace.size === 1 && this.#byWorkspace.has(null))
    return isPlain ? overview : [...overview, '', ...this.#table(paint, width)]
  }

  #table(paint: Paint, width?: number): string[] {
    const columns = [
      { heading: 'WORKSPACE' },
      { heading: 'SESSIONS', isNumber: true, goes: 1 },
      { heading: 'RUNNING', isNumber: true, goes: 4 },
      { heading: 'TURNS', isNumber: true, goes: 3 },
      { heading: 'PARTS', isNumber: true, goes: 5 },
      { heading: 'BYTES', isNumber: true, goes: 2 },
    ] as const
    const rows = this.#sorted().map(([workspace, figures]) => [
      { text: workspace === null ? '(none)' : printableLine(workspace) },
      ...(['sessions', 'running', 'turns', 'parts', 'bytes'] as const).map(name => ({
        text: figure(figures[name]),
        alone: `${figure(figures[name])} ${name}`,
      })),
    ])
    return tableLines(columns, rows, paint, width)
  }

  /** Those with the most sessions first. */
  #sorted(): [string | null, Figures][] {
    return [...this.#byWorkspace].toSorted(([, a], [, b]) => b.sessions - a.sessions)
  }
}
