import { TurnstoreError } from './errors.js'
import { copyJson, isJsonObject, isJsonValue, type JsonObject, type JsonPath, type JsonValue, NotJson, Scale, setMember, TooHeavy } from './json.js'
import type { Limits } from './limits.js'
import { quote, utf8Length } from './text.js'

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

/** @throws `INVALID_RECORD`, naming the path below `what` and never the value */
export function inputMembers(source: unknown, what: What, limits: Limits, scale: Scale): Members {
  return new InputMembers(asObject(source, what), what, limits, scale)
}

/** @throws `INVALID_RECORD` */
export function wireMembers(source: unknown, what: What): Members {
  return new WireMembers(asObject(source, what), what)
}

/** Copies JSON from a caller. @throws `INVALID_RECORD` */
export function copyInput(value: unknown, what: What, limits: Limits, scale: Scale): JsonValue {
  try {
    return copyJson(value, limits.jsonDepth, scale)
  } catch (error) {
    if (error instanceof NotJson) throw invalidRecord(wordsOf(what) + pathText(error.path), error.message)
    throw error
  }
}

/**
 * Runs a read with a scale of its own. `encode` gives the JSON of the result, for the rare record
 * whose weight the bounds leave open.
 * @throws `INVALID_RECORD` where the limit is passed
 */
export function weighed<T>(what: What, limit: number, read: (scale: Scale) => T, measure: (result: T) => number): T {
  const scale = new Scale(limit)
  try {
    const result = read(scale)
    if (scale.atMost > limit && measure(result) > limit) throw new TooHeavy()
    return result
  } catch (error) {
    if (error instanceof TooHeavy) throw invalidRecord(what, `is larger than ${limit} bytes of JSON`)
    throw error
  }
}

export function invalidRecord(what: What, reason: string): TurnstoreError {
  return new TurnstoreError('INVALID_RECORD', `${wordsOf(what)} ${reason}`)
}

function wordsOf(what: What): string {
  return typeof what === 'string' ? what : what.toString()
}

function asObject(source: unknown, what: What): Record<string, unknown> {
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

function pathText(path: JsonPath): string {
  return path.map(step => (typeof step === 'number' ? `[${step}]` : plainKey(step))).join('')
}

function plainKey(key: string): string {
  return /^[A-Za-z_$][\w$]{0,63}$/.test(key) ? `.${key}` : `[${quote(key)}]`
}

abstract class MembersBase implements Members {
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

class InputMembers extends MembersBase {
  readonly dialect = 'input'
  readonly #limits: Limits
  readonly #scale: Scale

  constructor(source: object, what: What, limits: Limits, scale: Scale) {
    super(source, what)
    this.#limits = limits
    this.#scale = scale
    scale.add(2, 64)
  }

  protected get(name: string): unknown {
    if (!Object.hasOwn(this.source, name)) return undefined
    try {
      return Reflect.get(this.source, name)
    } catch {
      return this.fail(name, 'threw when it was read')
    }
  }

  protected key(name: string): string {
    return name
  }

  protected item(source: unknown, what: What): Members {
    return inputMembers(source, what, this.#limits, this.#scale)
  }

  protected value(name: string, value: unknown): JsonValue {
    this.#scale.add(0, 32)
    return copyInput(value, this.at(name), this.#limits, this.#scale)
  }

  override weighedObject(name: string, limit: number): JsonObject {
    return weighed(
      this.at(name),
      limit,
      scale => new InputMembers(this.source, this.what, this.#limits, scale).object(name),
      object => utf8Length(JSON.stringify(object)),
    )
  }

  protected override checkText(name: string, value: unknown): string {
    const text = super.checkText(name, value)
    this.#scale.add(text.length, 6 * text.length + 32)
    return text
  }

  extra(shape: Shape): { extra?: JsonObject } {
    for (const key of Reflect.ownKeys(this.source)) {
      if (typeof key === 'symbol') throw invalidRecord(this.what, 'has a symbol as a key')
      if (!shape.names.has(key) && key !== 'extra') {
        throw invalidRecord(this.what, `has no member ${quote(key)}; what a newer writer added belongs in extra`)
      }
    }
    const extra = this.object('extra')
    for (const key of shape.wireKeys) {
      if (Object.hasOwn(extra, key)) this.fail('extra', `must not hold ${key}, which is a key of ours`)
    }
    return Object.keys(extra).length === 0 ? {} : { extra }
  }
}

class WireMembers extends MembersBase {
  readonly dialect = 'wire'
  readonly #members: Readonly<Record<string, unknown>>

  constructor(source: Readonly<Record<string, unknown>>, what: What) {
    super(source, what)
    this.#members = source
  }

  protected get(name: string): unknown {
    const value = this.#members[wireKey(name)]
    return value === null ? undefined : value
  }

  protected key(name: string): string {
    return wireKey(name)
  }

  protected item(source: unknown, what: What): Members {
    return wireMembers(source, what)
  }

  protected value(_name: string, value: unknown): JsonValue {
    return trusted(value)
  }

  extra(shape: Shape): { extra?: JsonObject } {
    let extra: JsonObject | undefined
    for (const key of Object.keys(this.source)) {
      if (shape.wireKeys.has(key)) continue
      extra ??= {}
      setMember(extra, key, trusted(this.#members[key]))
    }
    return extra === undefined ? {} : { extra }
  }
}

/** What JSON.parse gave is JSON; the compiler has no way to know. */
function trusted(value: unknown): JsonValue {
  return isJsonValue(value) ? value : null
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
