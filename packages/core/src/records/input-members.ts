import {
  copyJson,
  isPlain,
  type JsonObject,
  type JsonPath,
  type JsonValue,
  NotJson,
  SizeBudget,
  OverBudget,
} from '../basics/json.js'
import type { Limits } from './limits.js'
import {
  asObject,
  invalidRecord,
  type Members,
  MembersBase,
  type Name,
  nameOf,
  LazyLabel,
  type Shape,
  type Label,
  labelText,
} from './members.js'
import { NOTHING_OF_ITS_OWN } from '../basics/arguments.js'
import { RESERVED_KEYS } from './reserved-keys.js'
import { quote, utf8Length } from '../basics/text.js'

/** @throws `INVALID_RECORD` with the path, never the value */
export function inputMembers(
  source: unknown,
  what: Label,
  limits: Limits,
  budget: SizeBudget,
  whole?: SizeBudget,
): InputMembers {
  const members = new InputMembers(asObject(source, what), what, limits, budget, whole)
  budget.add(2, 64)
  return members
}

/**
 * Refuses a record whose copy would silently lack members: inherited ones, or, for a Map or a promise that
 * was not awaited, all of them.
 * @throws `INVALID_RECORD`
 */
export function checkOwnMembers(source: object, what: Label, { names }: Shape): void {
  if (isPlain(source)) return
  const inherited = [...names].find(name => name in source && !Object.hasOwn(source, name))
  if (inherited !== undefined) throw invalidRecord(what, `inherits ${inherited}; only own members are read`)
  if (Reflect.ownKeys(source).length === 0) throw invalidRecord(what, NOTHING_OF_ITS_OWN)
}

/** The input member for unknown keys of the wire format. */
export const extraName: Name = nameOf('extra')

export class InputMembers extends MembersBase {
  readonly dialect = 'input'
  readonly #limits: Limits
  readonly #budget: SizeBudget
  readonly #whole: SizeBudget | undefined

  /** @param whole the budget of the record with its parts, of which `budget` is that of the head */
  constructor(
    source: Readonly<Record<string, unknown>>,
    what: Label,
    limits: Limits,
    budget: SizeBudget,
    whole?: SizeBudget,
  ) {
    super(source, what)
    this.#limits = limits
    this.#budget = budget
    this.#whole = whole
  }

  protected get(name: Name): unknown {
    if (!Object.hasOwn(this.source, name.input)) return undefined
    try {
      return this.source[name.input]
    } catch {
      return this.fail(name, 'threw when it was read')
    }
  }

  protected key(name: Name): string {
    return name.input
  }

  protected part<T>(source: unknown, what: Label, read: (item: Members) => T, measure: (part: T) => number): T {
    return withinLimit(
      what,
      this.#limits.partBytes,
      budget => read(inputMembers(source, what, this.#limits, budget)),
      measure,
      this.#whole,
    )
  }

  protected value(name: Name, value: unknown): JsonValue {
    this.#budget.add(0, 32)
    return copyInput(value, new LazyLabel(this, name), this.#limits, this.#budget)
  }

  override object(name: Name): JsonObject {
    const object = super.object(name)
    if (name.input === 'metadata' || name === extraName) checkReserved(object, new LazyLabel(this, name))
    return object
  }

  override limitedObject(name: Name, limit: number): JsonObject {
    return withinLimit(
      this.at(name),
      limit,
      budget => new InputMembers(this.source, this.what, this.#limits, budget, this.#whole).object(name),
      object => utf8Length(JSON.stringify(object)),
    )
  }

  protected override checkText(name: Name, value: unknown, index?: number): string {
    const text = super.checkText(name, value, index)
    this.#budget.add(text.length, 6 * text.length + 32)
    return text
  }

  extra(shape: Shape): { extra?: JsonObject } {
    checkOwnMembers(this.source, this.what, shape)
    // Two calls, because Reflect.ownKeys costs several times as much.
    for (const key of Object.getOwnPropertyNames(this.source)) {
      if (!shape.names.has(key) && key !== extraName.input) {
        throw invalidRecord(this.what, `has no member ${quote(key)}; put unknown members in extra`)
      }
    }
    if (Object.getOwnPropertySymbols(this.source).length > 0) throw invalidRecord(this.what, 'has a symbol as a key')
    if (!this.has(extraName)) return {}
    const extra = this.object(extraName)
    for (const key of shape.wireKeys) {
      if (!Object.hasOwn(extra, key)) continue
      if (key !== shape.foreign?.key || shape.foreign.isOurs(extra[key]))
        this.fail(extraName, `must not contain ${key}, which is a key of the format`)
    }
    return Object.keys(extra).length === 0 ? {} : { extra }
  }
}

/** @throws `INVALID_RECORD` */
export function checkReserved(object: JsonObject, what: Label): void {
  for (const key of RESERVED_KEYS) {
    if (Object.hasOwn(object, key)) throw invalidRecord(what, `must not contain ${key}, which stores use themselves`)
  }
}

/** Copies a JSON value from the caller. @throws `INVALID_RECORD` */
export function copyInput(value: unknown, what: Label, limits: Limits, budget: SizeBudget): JsonValue {
  try {
    return copyJson(value, limits.jsonDepth, budget)
  } catch (error) {
    if (error instanceof NotJson) throw invalidRecord(labelText(what) + pathText(error.path), error.message)
    throw error
  }
}

/**
 * Runs a read with its own size budget. `measure` returns the size of the result in bytes. It is only
 * called if the bounds of the budget cannot decide.
 * @param whole the budget of what the result is a part of
 * @throws `INVALID_RECORD` if the limit is exceeded
 */
export function withinLimit<T>(
  what: Label,
  limit: number,
  read: (budget: SizeBudget) => T,
  measure: (result: T) => number,
  whole?: SizeBudget,
): T {
  const budget = new SizeBudget(limit)
  try {
    const result = read(budget)
    if (budget.atMost > limit && measure(result) > limit) throw new OverBudget(budget)
    whole?.add(budget.atLeast, budget.atMost)
    return result
  } catch (error) {
    if (error instanceof OverBudget && error.budget === budget) {
      throw invalidRecord(what, `is larger than ${limit} bytes of JSON`)
    }
    throw error
  }
}

/** Shortens a long path to its two ends. */
function pathText(path: JsonPath): string {
  return path.length > 12 ? `${stepsText(path.slice(0, 8))}…${stepsText(path.slice(-2))}` : stepsText(path)
}

function stepsText(path: JsonPath): string {
  return path.map(step => (typeof step === 'number' ? `[${step}]` : plainKey(step))).join('')
}

function plainKey(key: string): string {
  return /^[A-Za-z_$][\w$]{0,63}$/.test(key) ? `.${key}` : `[${quote(key)}]`
}
