import type { JsonObject, SessionRecord, SessionSummary, TurnPage, TurnRecord, TurnUpdate } from '@turnstore/core'
import { digestOf } from '@turnstore/core/adapter'
import { entriesIn, isOwn, uuidOf } from '../entries/format.js'
import { EntryIds, type Position, positionAfter } from '../entries/numbering.js'
import { type AppendPlan, type OpenCall, type OpenTurn, openTurnOf } from '../entries/plan-append.js'

/** What is known of a session, so that an append is one write, however long the session is. */
export class KnownSession {
  revision: number
  updatedAt: string
  metadata: JsonObject
  readonly ids: EntryIds = new EntryIds()
  /** The calls that wait for their results, by id. */
  readonly calls: Map<string, OpenCall> = new Map()
  /** The last turn, if entries can be added to it. */
  open: OpenTurn | null = null
  /** Of the last turn. */
  #lastTurnId = ''
  #turnCount = 0
  #end: Position = positionAfter('', false)

  constructor({
    revision,
    updatedAt,
    metadata,
    turns,
  }: Pick<SessionRecord, 'revision' | 'updatedAt' | 'metadata' | 'turns'>) {
    this.revision = revision
    this.updatedAt = updatedAt
    this.metadata = metadata
    this.#addTurns(turns, 0)
  }

  /** The index of the last turn, from which on others may have written. */
  get lastIndex(): number {
    return Math.max(0, this.#turnCount - 1)
  }

  /** The end of the session. Each call gives a position of its own. */
  end(): Position {
    return { ...this.#end, counts: new Map(this.#end.counts) }
  }

  /** Ends the turn of another SDK that entries follow, as a prompt ends the turn before it. */
  ending(endedAt: string): TurnUpdate[] {
    if (this.#turnCount === 0) return []
    return [{ turnId: this.#lastTurnId, ifStatus: 'running', set: { status: 'success', endedAt } }]
  }

  /**
   * Takes over what others have written since.
   * @param page the last turn that was known, and those after it
   * @returns false if the session was changed before that turn, or between the two reads: then it has to be read anew
   */
  follow(summary: SessionSummary, { turns, firstIndex, revision }: TurnPage): boolean {
    if (revision !== summary.revision || !this.#addTurns(turns, firstIndex)) return false
    this.revision = revision
    this.updatedAt = summary.updatedAt
    this.metadata = summary.metadata
    return true
  }

  #addTurns(turns: readonly TurnRecord[], from: number): boolean {
    if (this.#turnCount > 0 && (turns[0]?.turnId !== this.#lastTurnId || from !== this.lastIndex)) return false
    for (const turn of turns) {
      for (const { itemId, value } of entriesIn(turn)) this.#addEntry(itemId, value)
      for (const call of turn.toolCalls) {
        if (call.status === 'running') this.calls.set(call.callId, { turnId: turn.turnId, call })
        else if (this.calls.get(call.callId)?.turnId === turn.turnId) this.calls.delete(call.callId)
      }
    }
    const last = turns.at(-1)
    if (last === undefined) return true
    this.#turnCount = from + turns.length
    this.#lastTurnId = last.turnId
    this.open = isOwn(last)
      ? openTurnOf(
          last,
          entriesIn(last).map(({ value }) => value),
        )
      : null
    return true
  }

  /** Takes over what was appended. */
  add(plan: AppendPlan, entries: readonly { id: string; entry: JsonObject }[]): void {
    for (const { id, entry } of entries) this.#addEntry(id, entry)
    for (const callId of plan.closed) this.calls.delete(callId)
    for (const opened of plan.opened) this.calls.set(opened.call.callId, opened)
    this.#turnCount += plan.appendTurns.length
    this.open = plan.open
    this.#lastTurnId = plan.open?.turnId ?? this.#lastTurnId
  }

  #addEntry(id: string, entry: JsonObject): void {
    if (this.ids.has(id)) return
    this.ids.add(id, this.#end.after)
    const uuid = uuidOf(entry)
    if (uuid === null) {
      const digest = digestOf(entry)
      this.#end.counts.set(digest, (this.#end.counts.get(digest) ?? 0) + 1)
    } else this.#end = positionAfter(uuid, false)
  }
}
