import { TurnstoreError } from '../basics/errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../basics/json.js'

/**
 * Reads the members of one record, in one of two dialects:
 *
 * - `input`, from callers: camelCase. Values are copied and checked. Unknown members are refused.
 * - `wire`, from storage: snake_case. Null means missing for a member with a default. Unknown members are
 *   collected in `extra`. Values come from JSON.parse and are used as they are.
 *
 * The dialects differ only here. `read-record.ts` describes the records once, for both.
 */
export interface Members {
  readonly dialect: 'input' | 'wire'
  text(name: Name, fallback?: string): string
  textOrNull(name: Name): string | null
  numberOrNull(name: Name): number | null
  texts(name: Name): string[]
  json(name: Name): JsonValue
  object(name: Name): JsonObject
  /** An object with its own size limit, which does not count towards this record. */
  limitedObject(name: Name, limit: number): JsonObject
  /** The unread items of an array, each with its label for messages. */
  items(name: Name): Item[]
  /** `{ extra }` if there are unknown members, else `{}`. */
  extra(shape: Shape): { extra?: JsonObject }
  has(name: Name): boolean
  /** The parts of a record, each with a size limit of its own. */
  parts<T>(name: Name, read: (item: Members, index: number) => T, measure: (part: T) => number): T[]
  fail(name: Name, reason: string): never
}

/** A member's name in each dialect: `toolCalls` in input, `tool_calls` on the wire. */
export interface Name {
  readonly input: string
  readonly wire: string
}

export function nameOf(input: string): Name {
  return { input, wire: input.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`) }
}

/** The names of all members of a record. */
export type NamesOf<T> = Readonly<Record<Exclude<keyof T, 'extra'>, Name>>

/** Builds the names once per kind of record, so that reading needs no lookup. */
export function namesOf<const N extends string>(...names: readonly N[]): Readonly<Record<N, Name>>
export function namesOf(...names: readonly string[]): Readonly<Record<string, Name>> {
  return Object.fromEntries(names.map(name => [name, nameOf(name)]))
}

/** All members of a kind of record. */
export interface Shape {
  readonly names: ReadonlySet<string>
  /** In the order in which records are written. */
  readonly wireKeys: readonly string[]
  /** A key of the format under which old records may have something else, which stays in `extra`. */
  readonly foreign?: { readonly key: string; readonly isOurs: (value: unknown) => boolean }
}

export function shape(names: Readonly<Record<string, Name>>, ...onWireAlone: readonly Name[]): Shape {
  return {
    names: new Set(Object.keys(names)),
    wireKeys: [...Object.values(names), ...onWireAlone].map(name => name.wire),
  }
}

/** What error messages call the value. */
export type Label = string | LazyLabel

/** The label of a member or item. Converted to text only for an error message, because most are never needed. */
export class LazyLabel {
  readonly #parent: MembersBase
  readonly #name: Name
  readonly #index: number | undefined

  constructor(parent: MembersBase, name: Name, index?: number) {
    this.#parent = parent
    this.#name = name
    this.#index = index
  }

  toString(): string {
    const member = this.#parent.at(this.#name)
    return this.#index === undefined ? member : `${member}[${this.#index}]`
  }
}

export interface Item {
  readonly source: unknown
  readonly what: Label
}

export function invalidRecord(what: Label, reason: string): TurnstoreError {
  return new TurnstoreError('INVALID_RECORD', `${labelText(what)} ${reason}`)
}

export function labelText(what: Label): string {
  return typeof what === 'string' ? what : what.toString()
}

export function asObject(source: unknown, what: Label): Record<string, unknown> {
  if (!isRecord(source)) {
    throw invalidRecord(what, `must be an object, not ${kindOf(source)}`)
  }
  return source
}

function isRecord(source: unknown): source is Record<string, unknown> {
  return typeof source === 'object' && source !== null && !Array.isArray(source)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

export abstract class MembersBase implements Members {
  abstract readonly dialect: 'input' | 'wire'
  protected readonly source: Readonly<Record<string, unknown>>
  protected readonly what: Label

  constructor(source: Readonly<Record<string, unknown>>, what: Label) {
    this.source = source
    this.what = what
  }

  /** The raw member, or `undefined` if it is missing. */
  protected abstract get(name: Name): unknown
  protected abstract key(name: Name): string
  protected abstract part<T>(source: unknown, what: Label, read: (item: Members) => T, measure: (part: T) => number): T
  protected abstract value(name: Name, value: unknown): JsonValue
  abstract extra(shape: Shape): { extra?: JsonObject }

  text(name: Name, fallback?: string): string {
    const value = this.get(name)
    if (value === undefined) return fallback ?? this.fail(name, 'is missing')
    return this.checkText(name, value)
  }

  textOrNull(name: Name): string | null {
    const value = this.get(name)
    return value === undefined || value === null ? null : this.checkText(name, value)
  }

  numberOrNull(name: Name): number | null {
    const value = this.get(name)
    if (value === undefined || value === null) return null
    if (typeof value !== 'number' || !Number.isFinite(value)) return this.fail(name, 'must be a finite number or null')
    return value === 0 ? 0 : value
  }

  texts(name: Name): string[] {
    return mapItems(this.array(name), (text, index) => this.checkText(name, text, index))
  }

  json(name: Name): JsonValue {
    const value = this.get(name)
    return value === undefined ? null : this.value(name, value)
  }

  object(name: Name): JsonObject {
    const value = this.get(name)
    if (value === undefined) return {}
    if (!isJsonObject(value)) return this.fail(name, `must be an object, not ${kindOf(value)}`)
    const copy = this.value(name, value)
    return isJsonObject(copy) ? copy : this.fail(name, 'must be an object')
  }

  parts<T>(name: Name, read: (item: Members, index: number) => T, measure: (part: T) => number): T[] {
    return mapItems(this.array(name), (source, index) =>
      this.part(source, new LazyLabel(this, name, index), item => read(item, index), measure),
    )
  }

  limitedObject(name: Name, _limit: number): JsonObject {
    return this.object(name)
  }

  has(name: Name): boolean {
    return this.get(name) !== undefined
  }

  fail(name: Name, reason: string): never {
    throw invalidRecord(this.at(name), reason)
  }

  /** @param index index of an item of the member */
  protected checkText(name: Name, value: unknown, index?: number): string {
    if (typeof value === 'string') return value
    throw invalidRecord(new LazyLabel(this, name, index), `must be a string, not ${kindOf(value)}`)
  }

  at(name: Name): string {
    return `${labelText(this.what)}.${this.key(name)}`
  }

  items(name: Name): Item[] {
    return mapItems(this.array(name), (source, index) => ({ source, what: new LazyLabel(this, name, index) }))
  }

  private array(name: Name): readonly unknown[] {
    const value = this.get(name)
    if (value === undefined) return []
    return Array.isArray(value) ? value : this.fail(name, `must be an array, not ${kindOf(value)}`)
  }
}

/** Like Array.from, but much faster. Reads a hole as undefined, which `map` would skip. */
function mapItems<T>(array: readonly unknown[], read: (item: unknown, index: number) => T): T[] {
  const result: T[] = []
  for (let index = 0; index < array.length; index++) result.push(read(array[index], index))
  return result
}
