/** The JSON values that every store returns unchanged. */

export type JsonValue = string | number | boolean | null | JsonObject | JsonValue[]
export interface JsonObject {
  [key: string]: JsonValue
}

/** The path of an invalid value, relative to the value that was checked: `['items', 3, 'price']`. */
export type JsonPath = readonly (string | number)[]

/** Thrown by {@link copyJson}. Carries the path and the reason, never the value. */
export class NotJson extends Error {
  readonly path: JsonPath

  constructor(path: JsonPath, reason: string) {
    super(reason)
    this.path = path
  }
}

/**
 * Bounds the size of a record while it is copied, so that an oversized one is refused early.
 * `atLeast` and `atMost` bound the bytes of its JSON in UTF-8. Only if the limit lies between them does
 * the record have to be encoded to measure it.
 */
export class SizeBudget {
  atLeast = 0
  atMost = 0
  readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** A string of n UTF-16 units takes at least n bytes, and six times as many if each unit is escaped. */
  addText(text: string): void {
    this.add(text.length + 2, 6 * text.length + 3)
  }

  add(atLeast: number, atMost: number): void {
    this.atLeast += atLeast
    this.atMost += atMost
    if (this.atLeast > this.limit) throw new OverBudget(this)
  }
}

/** Thrown by {@link SizeBudget} as soon as a record must exceed its limit. */
export class OverBudget extends Error {
  readonly budget: SizeBudget

  constructor(budget: SizeBudget) {
    super()
    this.budget = budget
  }
}

/**
 * Deep-copies and checks an untrusted value.
 *
 * Members that are `undefined` are omitted, as in JSON.stringify, and -0 becomes 0. Values that JSON
 * would silently change or drop (NaN, Infinity, BigInt, functions, symbols, class instances, cycles,
 * holes and `undefined` in arrays) throw {@link NotJson}. Each member is read once, so a getter or a
 * Proxy cannot return one value to the check and another to the store.
 */
export function copyJson(value: unknown, maxDepth: number, budget: SizeBudget): JsonValue {
  return new JsonCopier(maxDepth, budget).copyFrom(value)
}

/** The state of one {@link copyJson} call. */
class JsonCopier {
  readonly #path: (string | number)[] = []
  readonly #ancestors: object[] = []
  readonly #maxDepth: number
  readonly #budget: SizeBudget

  constructor(maxDepth: number, budget: SizeBudget) {
    this.#maxDepth = maxDepth
    this.#budget = budget
  }

  copyFrom(source: unknown): JsonValue {
    try {
      return this.#copy(source)
    } catch (error) {
      if (error instanceof NotJson || error instanceof OverBudget) throw error
      // A getter or a Proxy threw. Its error may quote data, so it is dropped.
      return this.#fail('threw when it was read')
    }
  }

  #copy(source: unknown): JsonValue {
    switch (typeof source) {
      case 'string':
        this.#budget.addText(source)
        return source
      case 'boolean':
        this.#budget.add(4, 6)
        return source
      case 'number':
        this.#budget.add(1, 26)
        if (!Number.isFinite(source)) return this.#fail(`is ${source}, which JSON cannot represent`)
        return source === 0 ? 0 : source
      case 'object':
        if (source === null) {
          this.#budget.add(4, 5)
          return null
        }
        return this.#copyObject(source)
      default:
        return this.#fail(source === undefined ? 'is undefined' : `is a ${typeof source}, which JSON cannot represent`)
    }
  }

  #copyObject(source: object): JsonObject | JsonValue[] {
    if (this.#ancestors.length >= this.#maxDepth) {
      return this.#fail(this.#ancestors.includes(source) ? 'is a cycle' : `is nested deeper than ${this.#maxDepth}`)
    }
    this.#ancestors.push(source)
    const result = Array.isArray(source) ? this.#copyArray(source) : this.#copyMembers(source)
    this.#ancestors.pop()
    return result
  }

  #copyArray(source: readonly unknown[]): JsonValue[] {
    const length = source.length
    this.#budget.add(2 + Math.max(0, length - 1), 3 + length)
    // One comparison finds both holes and named members, which JSON would drop.
    if (Object.keys(source).length !== length) return this.#fail('is an array with holes or named members')
    const result: JsonValue[] = []
    for (let index = 0; index < length; index++) {
      this.#path.push(index)
      result.push(this.#copy(source[index]))
      this.#path.pop()
    }
    return result
  }

  #copyMembers(source: object): JsonObject {
    if (!isPlain(source)) {
      return this.#fail('is a class instance; JSON has only plain objects, arrays and scalars')
    }
    if (Object.getOwnPropertySymbols(source).length > 0) return this.#fail('has a symbol key')
    const result: JsonObject = {}
    this.#budget.add(2, 3)
    for (const key of Object.keys(source)) {
      this.#path.push(key)
      const member: unknown = Reflect.get(source, key)
      if (member !== undefined) {
        this.#budget.addText(key)
        this.#budget.add(1, 2)
        setMember(result, key, this.#copy(member))
      }
      this.#path.pop()
    }
    return result
  }

  #fail(reason: string): never {
    throw new NotJson(this.#path, reason)
  }
}

/** Whether an object is plain: not an instance of a class. */
export function isPlain(source: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(source)
  return prototype === null || isObjectPrototype(prototype)
}

/** `Object.prototype` of any realm, such as a vm context or an iframe. */
function isObjectPrototype(prototype: unknown): boolean {
  return (
    prototype === Object.prototype ||
    (typeof prototype === 'object' &&
      prototype !== null &&
      Object.getPrototypeOf(prototype) === null &&
      Object.hasOwn(prototype, 'isPrototypeOf'))
  )
}

/** Sets a member as data. Treats `__proto__` as an ordinary key, so it cannot pollute the prototype. */
export function setMember<T>(target: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[key] = value
  }
}

/** Deep-copies a value that is known to be JSON. Several times faster than `structuredClone`. */
export function cloneJson(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? value.map(cloneJson) : cloneJsonObject(value)
}

export function cloneJsonObject(value: JsonObject): JsonObject {
  const result: JsonObject = {}
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (member !== undefined) setMember(result, key, cloneJson(member))
  }
  return result
}

/** Whether two JSON values, or records of them, are equal. The order of keys does not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameJson(item, b[index]))
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
}

/** Whether a JSON value is an object: not an array, null or a scalar. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A type guard for results of JSON.parse, which need no check at run time. */
export function isJsonValue(value: unknown): value is JsonValue {
  return value !== undefined
}
