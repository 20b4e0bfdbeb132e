import { TurnstoreError } from './errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from './json.js'

/**
 * Reads the members of one record, in one of two dialects:
 *
 * - `input`, what a caller hands in: camelCase, each value copied and checked, unknown members refused;
 * - `wire`, what was stored: snake_case, null in a member with a default means missing, unknown
 *   members gathered in `extra`, values taken as they are, since JSON.parse made them for us.
 *
 * The two differ here alone: `read-record.ts` says once what a turn is made of.
 */
export interface Members {
  readonly dialect: 'input' | 'wire'
  text(name: string, fallback?: string): string
  textOrNull(name: string): string | null
  numberOrNull(name: string): number | null
  texts(name: string): string[]
  json(name: string): JsonValue
  object(name: string): JsonObject
  /** An object with a limit of its own, not weighed with this record. */
  weighedObject(name: string, limit: number): JsonObject
  /** The items of an array, unread, each with its place for messages. */
  items(name: string): Item[]
  /** `{ extra }` where there are members that nobody here knows, else `{}`. */
  extra(shape: Shape): { extra?: JsonObject }
  has(name: string): boolean
  /** The records in an array, weighed together with this one. */
  list<T>(name: string, read: (item: Members, index: number) => T): T[]
  fail(name: string, reason: string): never
}

/** The members of a kind of record, by both of their names. */
export interface Shape {
  readonly names: ReadonlySet<string>
  readonly wireKeys: ReadonlySet<string>
}

export function shape(names: readonly string[], onWireAlone: readonly string[] = []): Shape {
  return { names: new Set(names), wireKeys: new Set([...names.map(wireKey), ...onWireAlone]) }
}

/** What a message calls the thing. */
export type What = string | Place

/** An item of an array, put into words only where a message needs them: there are many items and few messages. */
class Place {
  readonly #parent: MembersBase
  readonly #name: string
  readonly #index: number

  constructor(parent: MembersBase, name: string, index: number) {
    this.#parent = parent
    this.#name = name
    this.#index = index
  }

  toString(): string {
    return `${this.#parent.at(this.#name)}[${this.#index}]`
  }
}

export interface Item {
  readonly source: unknown
  readonly what: What
}

export function invalidRecord(what: What, reason: string): TurnstoreError {
  return new TurnstoreError('INVALID_RECORD', `${wordsOf(what)} ${reason}`)
}

export function wordsOf(what: What): string {
  return typeof what === 'string' ? what : what.toString()
}

export function asObject(source: unknown, what: What): Record<string, unknown> {
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
  protected readonly source: object
  protected readonly what: What

  constructor(source: object, what: What) {
    this.source = source
    this.what = what
  }

  /** The member as it stands, `undefined` where it is missing. */
  protected abstract get(name: string): unknown
  protected abstract key(name: string): string
  protected abstract item(source: unknown, what: What): Members
  protected abstract value(name: string, value: unknown): JsonValue
  abstract extra(shape: Shape): { extra?: JsonObject }

  text(name: string, fallback?: string): string {
    const value = this.get(name)
    if (value === undefined) return fallback ?? this.fail(name, 'is missing')
    return this.checkText(name, value)
  }

  textOrNull(name: string): string | null {
    const value = this.get(name)
    return value === undefined || value === null ? null : this.checkText(name, value)
  }

  numberOrNull(name: string): number | null {
    const value = this.get(name)
    if (value === undefined || value === null) return null
    if (typeof value !== 'number' || !Number.isFinite(value)) return this.fail(name, 'must be a finite number or null')
    return value === 0 ? 0 : value
  }

  texts(name: string): string[] {
    return Array.from(this.array(name), (text, index) => this.checkText(`${name}[${index}]`, text))
  }

  json(name: string): JsonValue {
    const value = this.get(name)
    return value === undefined ? null : this.value(name, value)
  }

  object(name: string): JsonObject {
    const value = this.get(name)
    if (value === undefined) return {}
    if (!isJsonObject(value)) return this.fail(name, `must be an object, not ${kindOf(value)}`)
    const copy = this.value(name, value)
    return isJsonObject(copy) ? copy : this.fail(name, 'must be an object')
  }

  list<T>(name: string, read: (item: Members, index: number) => T): T[] {
    return Array.from(this.array(name), (source, index) => read(this.item(source, new Place(this, name, index)), index))
  }

  weighedObject(name: string, _limit: number): JsonObject {
    return this.object(name)
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  fail(name: string, reason: string): never {
    throw invalidRecord(this.at(name), reason)
  }

  protected checkText(name: string, value: unknown): string {
    return typeof value === 'string' ? value : this.fail(name, `must be a string, not ${kindOf(value)}`)
  }

  at(name: string): string {
    return `${wordsOf(this.what)}.${this.key(name)}`
  }

  items(name: string): Item[] {
    return Array.from(this.array(name), (source, index) => ({ source, what: new Place(this, name, index) }))
  }

  /** Read with Array.from, which takes a hole for the undefined that it is; map would pass it over. */
  private array(name: string): readonly unknown[] {
    const value = this.get(name)
    if (value === undefined) return []
    return Array.isArray(value) ? value : this.fail(name, `must be an array, not ${kindOf(value)}`)
  }
}

const wireKeys = new Map<string, string>()

/** `toolCalls` on the wire is `tool_calls`. */
export function wireKey(name: string): string {
  let key = wireKeys.get(name)
  if (key === undefined) {
    key = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
    wireKeys.set(name, key)
  }
  return key
}
