import { TurnstoreError } from '../basics/errors.js'
import { type JsonObject, setMember } from '../basics/json.js'
import { quote, utf8Length } from '../basics/text.js'
import type { Limits } from '../records/limits.js'
import { invalidRecord } from '../records/members.js'
import type { PartCounts, PartList, ToolCallRecord, TurnHead, TurnItem, TurnRecord } from '../records/models.js'
import { idOfPart } from '../records/part-ids.js'
import { headBytes } from '../records/part-sizes.js'
import { sameHead } from '../records/same-record.js'
import type { CheckedTurnUpdate } from './change.js'
import { isOtherCall, type Part, partJson, type StoredPart, type TurnView } from './turn-view.js'

/** A part to write, with its wire JSON and the size of that in bytes of UTF-8, which are made when they are asked for. */
export class PartWrite<P extends Part> {
  readonly part: P
  #json: string | null = null

  constructor(part: P) {
    this.part = part
  }

  get json(): string {
    return (this.#json ??= partJson(this.part))
  }

  get bytes(): number {
    return utf8Length(this.json)
  }
}

/** A part that takes the place of another. */
export class PartReplacement<P extends Part> extends PartWrite<P> {
  readonly before: StoredPart

  constructor(part: P, before: StoredPart) {
    super(part)
    this.before = before
  }

  get place(): number {
    return this.before.place
  }
}

/** What a change does to one list of a turn. */
export interface PartsPlan<P extends Part> {
  readonly removed: readonly StoredPart[]
  /** Each keeps the place of the part that it replaces. */
  readonly replaced: readonly PartReplacement<P>[]
  /** They go last, in this order. */
  readonly added: readonly PartWrite<P>[]
}

/** What a change does to a turn. */
export interface TurnPlan {
  readonly index: number
  readonly turnId: string
  /** The new head, if it changes. */
  readonly head: TurnHead | undefined
  readonly toolCalls: PartsPlan<ToolCallRecord>
  readonly items: PartsPlan<TurnItem>
  /** After the change. */
  readonly partCounts: PartCounts
  /** The size of the turn after the change, in bytes as the limits count it. Measured when it is asked for. */
  readonly bytes: number
  /** An upper bound of that size. */
  readonly bytesAtMost: number
}

/** A turn while the updates of a change are applied to it, one after the other. */
export class TurnDraft {
  readonly #view: TurnView
  readonly #turnId: string
  /** Null until an update sets something, since a head may be large, and a step need not read it. */
  #head: TurnHead | null = null
  #putBytesAtMost = 0
  readonly #toolCalls: PartsDraft<ToolCallRecord>
  readonly #items: PartsDraft<TurnItem>

  constructor(view: TurnView, turnId: string, sessionId: string) {
    this.#view = view
    this.#turnId = turnId
    const conflict = (callId: string): TurnstoreError => callIdConflict(sessionId, turnId, callId)
    this.#toolCalls = new PartsDraft(view, 'toolCalls', conflict)
    this.#items = new PartsDraft(view, 'items', conflict)
  }

  /** False if the turn has another status than the update asks for. @throws `CALL_ID_CONFLICT` */
  apply(update: CheckedTurnUpdate): boolean {
    if (update.ifStatus !== undefined && update.ifStatus !== (this.#head ?? this.#view.head).status) return false
    if (setsHead(update)) this.#head = updatedHead(this.#head ?? this.#view.head, update)
    this.#putBytesAtMost += update.putBytesAtMost
    for (const id of update.removeToolCalls) this.#toolCalls.remove(id)
    for (const id of update.removeItems) this.#items.remove(id)
    for (const { call, replace } of update.putToolCalls) this.#toolCalls.put(call, replace)
    for (const item of update.putItems) this.#items.put(item, true)
    return true
  }

  /** Null if all updates together alter nothing. @throws `INVALID_RECORD` if the turn became too large */
  plan(limits: Limits): TurnPlan | null {
    const view = this.#view
    const head = this.#head === null || sameHead(this.#head, view.head) ? undefined : this.#head
    const toolCalls = this.#toolCalls.plan()
    const items = this.#items.plan()
    if (head === undefined && isEmpty(toolCalls) && isEmpty(items)) return null
    const turnId = this.#turnId
    const itemCount = view.partCounts.items + items.added.length - items.removed.length
    // Only one of the two has room in a record. The head of a turn with items cannot have the other.
    const mayClash = itemCount > 0 && (head !== undefined || view.partCounts.items === 0)
    if (mayClash && Object.hasOwn((head ?? view.head).extra ?? {}, 'items')) throw foreignItems(turnId)
    let headGrowth = 0
    if (head !== undefined) {
      const after = headBytes(head)
      if (after > limits.partBytes) throw tooLarge(turnId, limits.partBytes)
      headGrowth = after - headBytes(view.head)
    }
    const measured = (): number => view.bytes + headGrowth + growthOf(toolCalls) + growthOf(items)
    let bytesAtMost = (view.bytesAtMost ?? view.bytes) + headGrowth + this.#putBytesAtMost
    if (bytesAtMost > limits.turnBytes) {
      bytesAtMost = measured()
      if (bytesAtMost > limits.turnBytes) throw tooLarge(turnId, limits.turnBytes)
    }
    const partCounts = {
      toolCalls: view.partCounts.toolCalls + toolCalls.added.length - toolCalls.removed.length,
      items: itemCount,
    }
    return {
      index: view.index,
      turnId,
      head,
      toolCalls,
      items,
      partCounts,
      get bytes() {
        return measured()
      },
      bytesAtMost,
    }
  }
}

function tooLarge(turnId: string, limit: number): TurnstoreError {
  return invalidRecord(`turn ${quote(turnId)}`, `would exceed ${limit} bytes of JSON`)
}

function foreignItems(turnId: string): TurnstoreError {
  return invalidRecord(`turn ${quote(turnId)}`, 'has something else under items in its extra, and can have no items')
}

function isEmpty({ removed, replaced, added }: PartsPlan<Part>): boolean {
  return removed.length === 0 && replaced.length === 0 && added.length === 0
}

function growthOf({ removed, replaced, added }: PartsPlan<Part>): number {
  let growth = 0
  for (const { bytes } of removed) growth -= bytes
  for (const { bytes, before } of replaced) growth += bytes - before.bytes
  for (const { bytes } of added) growth += bytes
  return growth
}

function setsHead({ set, setMetadata, unsetMetadata }: CheckedTurnUpdate): boolean {
  return !isNothing(set) || !isNothing(setMetadata) || unsetMetadata.length > 0
}

function updatedHead(head: TurnHead, { set, setMetadata, unsetMetadata }: CheckedTurnUpdate): TurnHead {
  const { extra, ...members } = set
  const { extra: before, ...rest } = head
  const after = extra ?? before
  const updated: TurnHead = {
    ...rest,
    ...members,
    ...(after === undefined || Object.keys(after).length === 0 ? {} : { extra: after }),
  }
  if (isNothing(setMetadata) && unsetMetadata.length === 0) return updated
  return { ...updated, metadata: mergedMetadata(updated.metadata, setMetadata, unsetMetadata) }
}

function isNothing(members: object): boolean {
  return Object.keys(members).length === 0
}

/** The members of both, the later ones first, without those that are unset. */
export function mergedMetadata(before: JsonObject, set: JsonObject, unset: readonly string[]): JsonObject {
  const metadata: JsonObject = {}
  const dropped = new Set(unset)
  for (const members of [before, set]) {
    for (const [key, value] of Object.entries(members)) {
      if (!dropped.has(key)) setMember(metadata, key, value)
    }
  }
  return metadata
}

/** A part of the list: stored, or added by the change. */
interface Entry<P> {
  readonly stored: StoredPart | null
  /** What the change put; null for a stored part that it left alone. */
  put: P | null
  isRemoved: boolean
}

/** One list of a turn while updates are applied to it. Looks only at the parts that they name. */
class PartsDraft<P extends Part> {
  readonly #view: TurnView
  readonly #list: PartList
  readonly #conflict: (callId: string) => TurnstoreError
  /** The entries of each id that an update named, in their order. */
  readonly #named = new Map<string, Entry<P>[]>()
  readonly #added: Entry<P>[] = []

  constructor(view: TurnView, list: PartList, conflict: (callId: string) => TurnstoreError) {
    this.#view = view
    this.#list = list
    this.#conflict = conflict
  }

  /** Replaces the last part with this id, or adds one. @param replace also a finished call by another one */
  put(part: P, replace: boolean): void {
    const id = idOfPart(part)
    const entries = this.#entriesOf(id)
    const last = entries.findLast(({ isRemoved }) => !isRemoved)
    if (last === undefined) {
      const entry: Entry<P> = { stored: null, put: part, isRemoved: false }
      entries.push(entry)
      this.#added.push(entry)
      return
    }
    if (!replace && 'callId' in part) {
      const isOther = last.put === null ? last.stored?.isOtherCall(part) : isOtherCall(last.put, part)
      if (isOther === true) throw this.#conflict(id)
    }
    last.put = part
  }

  /** Removes all parts with this id. */
  remove(id: string): void {
    for (const entry of this.#entriesOf(id)) entry.isRemoved = true
  }

  plan(): PartsPlan<P> {
    const removed: StoredPart[] = []
    const replaced: PartReplacement<P>[] = []
    for (const entries of this.#named.values()) {
      for (const { stored, put, isRemoved } of entries) {
        if (stored === null) continue
        if (isRemoved) removed.push(stored)
        else if (put !== null && !stored.equals(put)) {
          replaced.push(new PartReplacement(put, stored))
        }
      }
    }
    const added = this.#added.filter(({ isRemoved }) => !isRemoved).flatMap(({ put }) => (put === null ? [] : [put]))
    const again = this.#putBack(removed, added)
    return {
      removed: removed.filter(part => !again.includes(part)),
      replaced,
      added: added.slice(again.length).map(part => new PartWrite(part)),
    }
  }

  /** The removed parts at whose place the first added ones are again, and are equal: as if neither had happened. */
  #putBack(removed: readonly StoredPart[], added: readonly P[]): StoredPart[] {
    if (removed.length === 0 || added.length === 0) return []
    const inOrder = removed.toSorted((a, b) => a.place - b.place)
    // Behind these, nothing is left.
    const tail = inOrder.filter(
      ({ place }, index) => this.#view.countFrom(this.#list, place) === inOrder.length - index,
    )
    const different = tail.findIndex((part, index) => {
      const put = added[index]
      return put === undefined || !part.equals(put)
    })
    return different === -1 ? tail : tail.slice(0, different)
  }

  #entriesOf(id: string): Entry<P>[] {
    let entries = this.#named.get(id)
    if (entries === undefined) {
      entries = this.#view.findParts(this.#list, id).map(stored => ({ stored, put: null, isRemoved: false }))
      this.#named.set(id, entries)
    }
    return entries
  }
}

function callIdConflict(sessionId: string, turnId: string, callId: string): TurnstoreError {
  return new TurnstoreError(
    'CALL_ID_CONFLICT',
    `Turn ${quote(turnId)} of session ${sessionId} has a finished tool call ${quote(callId)} with another name or other arguments; give the new call another id, or pass replace: true`,
    { sessionId, outcome: 'not-stored' },
  )
}

/** Applies a plan to a turn whose places are indexes. The result shares unchanged parts with `turn`. */
export function applyTurnPlan(turn: TurnRecord, { head, toolCalls, items }: TurnPlan): TurnRecord {
  return {
    ...(head ?? turn),
    toolCalls: applyParts(turn.toolCalls, toolCalls),
    items: applyParts(turn.items, items),
  }
}

function applyParts<P extends Part>(parts: P[], { removed, replaced, added }: PartsPlan<P>): P[] {
  const result: (P | null)[] = [...parts]
  for (const { place, part } of replaced) result[place] = part
  for (const { place } of removed) result[place] = null
  for (const { part } of added) result.push(part)
  return result.filter(part => part !== null)
}
