/** A JSON value, with what JSON.parse hides about its numbers. */
export interface ParsedJson {
  readonly json: unknown
  /** The source text of the top-level ids that are numbers. */
  readonly writtenIds: ReadonlyMap<string, string>
  /** How many integers in it JavaScript cannot represent exactly. */
  readonly rounded: number
}

const idNames = ['id', 'session_id']

/** An integer beyond 2^53, or such digits in a string. Digits of a fraction follow a point. */
const mayBeLarge = /(?:^|[:,[\s-])\d{16}/

/** @throws {SyntaxError} whose message quotes the text, so it must never reach the user */
export function parseJson(text: string): ParsedJson {
  const json: unknown = JSON.parse(text)
  // The second parse is several times slower than the first.
  if (!hasNumericId(json) && !mayBeLarge.test(text)) return { json, writtenIds: new Map(), rounded: 0 }
  return { json, ...lookAtNumbers(text) }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether JavaScript represents the number exactly and would write it as `source`. */
export function isAsWritten(value: number, source: string): boolean {
  return String(value) === source && !isRounded(value, source)
}

/** Infinity does not count as rounded: stores refuse it, and that is reported. */
function isRounded(value: number, source: string): boolean {
  if (Number.isSafeInteger(value) || !Number.isFinite(value) || !/^-?\d+$/.test(source)) return false
  return BigInt(source) !== BigInt(value)
}

function hasNumericId(json: unknown): boolean {
  return isObject(json) && idNames.some(name => typeof json[name] === 'number')
}

function lookAtNumbers(text: string): Omit<ParsedJson, 'json'> {
  // Keyed by object: which one is outermost is known only at the end.
  const ids = new Map<unknown, Map<string, string>>()
  let rounded = 0

  function look(this: unknown, key: string, value: unknown, context?: { readonly source?: string }): unknown {
    if (typeof value !== 'number' || context?.source === undefined) return value
    if (isRounded(value, context.source)) rounded++
    if (idNames.includes(key)) ids.set(this, (ids.get(this) ?? new Map<string, string>()).set(key, context.source))
    return value
  }

  try {
    const json: unknown = JSON.parse(text, look)
    return { writtenIds: ids.get(json) ?? new Map<string, string>(), rounded }
  } catch (error) {
    // Deep nesting exhausts the stack only with a reviver. Stores refuse such a value, and that is reported.
    if (!(error instanceof RangeError)) throw error
    return { writtenIds: new Map(), rounded }
  }
}
