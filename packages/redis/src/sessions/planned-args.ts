import type { AgentTransitionRecord, PartList, TurnRecord } from '@turnstore/core'
import {
  applyTurnPlan,
  type ChangePlan,
  encodeTransition,
  encodeTurn,
  encodeTurnHead,
  headBytes,
  idOfPart,
  type Part,
  type PartsPlan,
  type StoredPart,
  type TurnPlan,
} from '@turnstore/core/adapter'
import { transitionField, turnField } from '../format/keyspace.js'
import { entryOf, EntryOfPart } from '../format/part-entry.js'
import { letterOf, partName } from '../format/part-names.js'
import { encodeOpenTurn, encodeStoredTurn } from '../format/stored-turn.js'
import type { Args } from '../server/server-connection.js'
import { keptAfter, type FoundTurn, type ReadView } from './change-view.js'

type Row = readonly (string | number)[]

/** The lists of the script `apply` that concern turns, as rows. */
class TurnRows {
  readonly set: Row[] = []
  readonly values: string[] = []
  readonly grown: Row[] = []
  readonly removed: Row[] = []
  readonly replaced: Row[] = []
  readonly added: Row[] = []
  readonly appended: Row[] = []

  /** @param placesBefore the places of the id before the last one, each with a space after it */
  update(plan: TurnPlan, { view, token }: FoundTurn, placesBefore: string): void {
    const { index, turnId, head, toolCalls, items } = plan
    const row = [index, turnField(turnId), placesBefore]
    if (token === '') {
      const turn = applyTurnPlan(view.whole(), plan)
      const isOpened = [toolCalls, items].some(
        list => list.added.length + list.replaced.length + list.removed.length > 0,
      )
      const stored = isOpened ? encodeOpenTurn(turn) : null
      this.set.push([...row, stored?.token ?? '', stored?.text ?? JSON.stringify(encodeTurn(turn))])
      if (stored !== null) this.values.push(...stored.values)
      return
    }
    if (head !== undefined) this.set.push([...row, token, token + JSON.stringify(encodeTurnHead(head))])
    const growth = head === undefined ? 0 : headBytes(head) - headBytes(view.head)
    this.grown.push([token, growth + this.#parts(token, 'toolCalls', toolCalls) + this.#parts(token, 'items', items)])
  }

  /** Returns the bytes that the list grows by. */
  #parts(token: string, list: PartList, { removed, replaced, added }: PartsPlan<Part>): number {
    let growth = 0
    const letter = letterOf(list)
    const gone = removed.map(entryIn)
    for (const { name, place, bytes, all } of gone) {
      growth -= bytes
      const others = all.filter(entry => !gone.includes(entry)).map(({ text }) => text)
      this.removed.push([token, letter, place, name, others.join(';')])
    }
    for (const { part, json, bytes, place, before } of replaced) {
      growth += bytes - before.bytes
      const { name, all } = entryIn(before)
      const entries = all.map(({ text, place: each }) => (each === place ? `${place} ${entryOf(part, bytes)}` : text))
      this.replaced.push([token, letter, place, name, entries.join(';'), json])
    }
    for (const { part, json, bytes } of added) {
      growth += bytes
      this.added.push([token, letter, partName(list, idOfPart(part)), entryOf(part, bytes), json])
    }
    return growth
  }

  append(turn: TurnRecord): void {
    const { text, token, values } = encodeStoredTurn(turn)
    this.appended.push([turnField(turn.turnId), token, text])
    this.values.push(...values)
  }
}

/** A view of an open turn answers with entries. */
function entryIn(part: StoredPart): EntryOfPart {
  if (part instanceof EntryOfPart) return part
  throw new TypeError('a part without its entry')
}

/** The lists of the script `apply`. */
export function plannedLists(read: ReadView, plan: ChangePlan): Args {
  const { places, fields, turns, rewind } = read
  const dropped = [...(rewind?.dropped ?? [])]
  const rows = new TurnRows()
  for (const update of plan.updateTurns) {
    const found = turns.get(update.turnId)
    if (found === undefined) throw new TypeError('a planned turn was not looked up')
    const field = turnField(update.turnId)
    const known = rewind?.dropped.get(field) ?? places.get(field) ?? ''
    rows.update(update, found, known.slice(0, known.lastIndexOf(' ') + 1))
  }
  for (const turn of plan.appendTurns) rows.append(turn)
  return [
    ...list([...places]),
    ...list([...fields]),
    ...list(dropped.filter(([, stays]) => stays === '').map(([field]) => [field])),
    ...list(dropped.filter(([, stays]) => stays !== '')),
    ...list(rows.set),
    ...list([rows.values]),
    ...list(rows.grown),
    ...list(rows.removed),
    ...list(rows.replaced),
    ...list(rows.added),
    ...list(rows.appended),
    ...list(transitionRows(plan.appendAgentTransitions)),
    ...list(transitionRows(keptAfter(read, plan.keepTurns))),
  ]
}

/** If two transitions have the same id, only the first one gets the field of the id. */
function transitionRows(transitions: readonly AgentTransitionRecord[]): string[][] {
  const known = new Set<string>()
  return transitions.map(transition => {
    const field = transitionField(transition.transitionId)
    const isFirst = !known.has(field)
    known.add(field)
    return [isFirst ? field : '', JSON.stringify(encodeTransition(transition))]
  })
}

/** A list as `apply` reads it: the number of its values first. */
function list(rows: readonly Row[]): Args {
  const values = rows.flat()
  return [values.length, ...values]
}
