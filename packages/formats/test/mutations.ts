import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { momentsOf } from '../../../scripts/testing/machine.ts'

/** What makes a file of one format into one that nobody wrote. */
export type Mutation = (value: JsonValue, dice: Dice, others: readonly JsonValue[]) => JsonValue

/** Chance, the same again with the same seed. */
export class Dice {
  readonly #moments: Generator<number, never>

  constructor(seed: number) {
    this.#moments = momentsOf(Math.imul(seed + 1, 2_654_435_761))
  }

  below(limit: number): number {
    return Math.floor(this.#moments.next().value * limit)
  }

  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.below(values.length)]
    if (value === undefined) throw new Error('nothing to pick from')
    return value
  }
}

interface Place {
  readonly holder: JsonObject | JsonValue[]
  readonly key: string
  readonly value: JsonValue
}

function placesIn(value: JsonValue, into: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return into
  for (const [key, member] of Object.entries(value)) {
    into.push({ holder: value, key, value: member })
    placesIn(member, into)
  }
  return into
}

function put({ holder, key }: Place, value: JsonValue): void {
  if (Array.isArray(holder)) holder[Number(key)] = value
  else holder[key] = value
}

/** Changes one place, if the value has any. */
function somewhere(value: JsonValue, dice: Dice, change: (place: Place) => void): JsonValue {
  const places = placesIn(value)
  if (places.length > 0) change(dice.pick(places))
  return value
}

const mix: Mutation = (value, dice, others) => {
  const other = structuredClone(dice.pick(others))
  if (!Array.isArray(value) || !Array.isArray(other)) return [value, other]
  const at = dice.below(value.length + 1)
  return [...value.slice(0, at), ...other.slice(0, 1 + dice.below(other.length)), ...value.slice(at)]
}

const cut: Mutation = (value, dice) =>
  somewhere(value, dice, ({ holder, key }) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1)
    else delete holder[key]
  })

const cutLine: Mutation = (value, dice) => {
  if (Array.isArray(value) && value.length > 1) value.splice(dice.below(value.length), 1 + dice.below(3))
  return value
}

const wrap: Mutation = (value, dice) =>
  dice.pick<(inner: JsonValue) => JsonValue>([
    inner => [inner],
    inner => ({ data: inner }),
    inner => ({ messages: inner }),
    inner => ({ conversations: inner }),
    inner => ({ session: { id: 'a', timestamp: '2026-01-01' }, items: inner }),
  ])(value)

const nest: Mutation = (value, dice) =>
  somewhere(value, dice, place => {
    put(place, dice.pick<JsonValue>([[place.value], { value: place.value }, { type: 'text', text: place.value }]))
  })

const sink: Mutation = (value, dice) =>
  somewhere(value, dice, place => {
    let deep = place.value
    for (let depth = dice.pick([10, 150, 400]); depth > 0; depth--) deep = depth % 2 === 0 ? [deep] : { a: deep }
    put(place, deep)
  })

const labels = ['type', 'role', 'from', 'sender', 'content_type', 'recipient', 'format', 'state', 'status', 'lc']

const mislabel: Mutation = (value, dice, others) => {
  const labelled = (each: JsonValue): Place[] => placesIn(each).filter(({ key }) => labels.includes(key))
  const places = labelled(value)
  const names = labelled(dice.pick(others))
  if (places.length > 0 && names.length > 0) put(dice.pick(places), structuredClone(dice.pick(names).value))
  return value
}

const rename: Mutation = (value, dice, others) =>
  somewhere(value, dice, ({ holder, key, value: member }) => {
    const names = placesIn(dice.pick(others)).filter(place => !Array.isArray(place.holder))
    if (!isJsonObject(holder) || names.length === 0) return
    delete holder[key]
    holder[dice.pick(names).key] = member
  })

const replace: Mutation = (value, dice) =>
  somewhere(value, dice, place => {
    put(place, dice.pick<JsonValue>([null, 7, true, '', [], {}, 'ab', [null], -1, '2026-02-03T10:00:00.000Z']))
  })

const swap: Mutation = (value, dice, others) =>
  somewhere(value, dice, place => {
    const places = placesIn(dice.pick(others))
    if (places.length > 0) put(place, structuredClone(dice.pick(places).value))
  })

/** Lines that take others back, and links to another parent: what makes forks. */
const fork: Mutation = (value, dice) => {
  if (!Array.isArray(value) || value.length === 0) return value
  const entries = placesIn(value).filter(place => isJsonObject(place.value) && 'parent' in place.value)
  const [one] = entries.length === 0 ? [] : [dice.pick(entries).value]
  if (isJsonObject(one)) {
    one.parent = dice.pick(entries).key
    return value
  }
  const message = dice.pick(value)
  const line = dice.pick<JsonObject>([
    { $rewindTo: isJsonObject(message) && typeof message.id === 'string' ? message.id : 'nobody' },
    { $set: { messages: [structuredClone(message)] } },
    { type: 'event_msg', payload: { type: 'thread_rolled_back', num_turns: 1 + dice.below(2) } },
  ])
  value.splice(1 + dice.below(value.length), 0, line)
  return value
}

export const mutations: readonly Mutation[] = [
  fork,
  fork,
  mix,
  cut,
  cut,
  cutLine,
  wrap,
  nest,
  sink,
  mislabel,
  mislabel,
  rename,
  replace,
  swap,
]

/** Puts one value in the place of another. */
export function plant(value: JsonValue, dice: Dice, other: JsonValue): JsonValue {
  return somewhere(value, dice, place => put(place, other))
}

/** Puts a text somewhere: in the place of another, into a list, or as a member that nobody knows. */
export function inject(value: JsonValue, dice: Dice, text: string): JsonValue {
  return somewhere(value, dice, place => {
    const { holder } = place
    if (typeof place.value === 'string' && dice.below(3) > 0) put(place, text)
    else if (Array.isArray(holder)) holder.splice(Number(place.key), 0, text)
    else holder[dice.pick(['remark', 'text', 'content', 'note', 'reasoning', 'output'])] = text
  })
}
