import type { AgentTransitionRecord, SessionSummary, WatchedSession } from '@turnstore/core'
import type { CallAnswer, ErrorAnswer, ItemAnswer, TurnAnswer } from '../../src/inspector/answers.ts'
import { ask, problemOf } from './api.ts'
import { Chunked } from './chunked.ts'
import { type Connection, watch } from './live.ts'

const isRunning = ({ status }: { readonly status: string }): boolean => status === 'running'

/** One session as the page knows it: what it has read, and what changes meanwhile. */
export class SessionModel {
  readonly id: string
  summary: SessionSummary | null = null
  transitions: readonly AgentTransitionRecord[] = []
  problem: ErrorAnswer | null = null
  isDeleted = false
  connection: Connection = 'connecting'
  /** A sentence on what has just changed, for screen readers. */
  news = ''
  /** The names of the folds that are open. */
  readonly unfolded = new Set<string>()
  readonly turns: Chunked<TurnAnswer>
  readonly #calls = new Map<string, Chunked<CallAnswer>>()
  readonly #items = new Map<string, Chunked<ItemAnswer>>()
  readonly #changed: () => void
  readonly #aborted = new AbortController()
  #token = ''
  #stopWatching: () => void = () => {}
  #work: Promise<void> = Promise.resolve()

  constructor(id: string, changed: () => void) {
    this.id = id
    this.#changed = changed
    const { signal } = this.#aborted
    this.turns = new Chunked(0, 30, changed, (from, limit) => ask('turns', { id, from, limit }, signal))
  }

  async open(): Promise<void> {
    try {
      await this.#readSummary()
      this.turns.count = this.summary?.turnCount ?? 0
      this.#watch()
    } catch (error) {
      this.problem = problemOf(error)
    }
    this.#changed()
  }

  close(): void {
    this.#stopWatching()
    this.#aborted.abort()
  }

  /** Reads the summary again, for example after a write. */
  async reload(): Promise<void> {
    await this.#readSummary().catch((error: unknown) => {
      this.problem = problemOf(error)
    })
    this.#changed()
  }

  /** The tool calls of a turn that has so many. */
  calls(turn: string, count: number): Chunked<CallAnswer> {
    return this.#list(this.#calls, turn, count, (from, limit) => this.#ask('calls', turn, from, limit))
  }

  items(turn: string, count: number): Chunked<ItemAnswer> {
    return this.#list(this.#items, turn, count, (from, limit) => this.#ask('items', turn, from, limit))
  }

  #ask<Name extends 'calls' | 'items'>(name: Name, turn: string, from: number, limit: number) {
    return ask(name, { id: this.id, turn, from, limit }, this.#aborted.signal)
  }

  #list<T>(lists: Map<string, Chunked<T>>, turn: string, count: number, read: Chunked<T>['read']): Chunked<T> {
    const list = lists.get(turn) ?? new Chunked(count, 100, this.#changed, read)
    list.count = Math.max(list.count, count)
    lists.set(turn, list)
    return list
  }

  async #readSummary(): Promise<void> {
    const { id } = this
    const { signal } = this.#aborted
    const before = this.summary?.agentTransitionCount ?? 0
    this.summary = await ask('session', { id }, signal)
    if (this.summary.agentTransitionCount !== before) {
      this.transitions = (await ask('transitions', { id }, signal)).transitions
    }
  }

  #watch(): void {
    this.#stopWatching = watch(this.id, {
      since: () => this.#token,
      connection: connection => {
        this.connection = connection
        this.#changed()
      },
      // One after the other, or an older answer might replace a newer one.
      state: state => {
        this.#work = this.#work.then(() => this.#take(state))
      },
    })
  }

  async #take(state: WatchedSession): Promise<void> {
    if (state.deleted === true) {
      this.isDeleted = true
      this.news = 'The session was deleted.'
      this.#changed()
      return
    }
    this.#token = state.token
    if (state.revision === this.summary?.revision) return
    try {
      await this.#readSummary()
      await this.#readNews(state.turnCount)
    } catch (error) {
      this.problem = problemOf(error)
    }
    const { lastTurn } = state
    if (lastTurn !== null) this.news = `Turn ${state.turnCount}: ${lastTurn.status}.`
    this.#changed()
  }

  /** Only what is new: turns from the first that was running, and of those the calls and items that came. */
  async #readNews(turnCount: number): Promise<void> {
    const { turns } = this
    const from = turnCount < turns.count ? 0 : Math.min(turns.firstRead(isRunning), Math.max(0, turns.count - 1))
    await turns.refresh(from)
    for (let index = from; index < Math.min(turns.count, from + 30); index++) {
      const turn = turns.at(index)
      if (turn === undefined) continue
      const calls = this.#calls.get(turn.turnId)
      const items = this.#items.get(turn.turnId)
      await calls?.refresh(Math.min(calls.firstRead(isRunning), turn.partCounts.toolCalls, calls.count))
      if (items !== undefined && items.count !== turn.partCounts.items) {
        await items.refresh(Math.min(items.count, turn.partCounts.items))
      }
    }
  }
}
