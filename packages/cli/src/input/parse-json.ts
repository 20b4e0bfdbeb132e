/** A JSON value, with what JSON.parse does not tell of its numbers. */
export interface ParsedJson {
  readonly json: unknown
  /** Its own ids that are numbers, as they are written. */
  readonly writtenIds: ReadonlyMap<string, string>
  /** How many whole numbers in it JavaScript cannot hold exactly. */
  readonly rounded: number
}

const idNames = ['id', 'session_id']

/** A whole number beyond 2^53, or such digits in a text. Those of a fraction stand behind a point. */
const mayBeLarge = /(?:^|[:,[\s-])\d{16}/

/** @throws {SyntaxError} which quotes the text, and so must not be handed on */
export function parseJson(text: string): ParsedJson {
  const json: unknown = JSON.parse(text)
  // The second look is several times as slow as the first.
  if (!hasNumericId(json) && !mayBeLarge.test(text)) return { json, writtenIds: new Map(), rounded: 0 }
  return { json, ...lookAtNumbers(text) }
}

/** An object and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a number is the one that was written, and is written as JavaScript writes it. */
export function isAsWritten(value: number, source: string): boolean {
  return String(value) === source && !isRounded(value, source)
}

/** Infinity is no rounded number: no store takes it, and that is told. */
function isRounded(value: number, source: string): boolean {
  if (Number.isSafeInteger(value) || !Number.isFinite(value) || !/^-?\d+$/.test(source)) return false
  return BigInt(source) !== BigInt(value)
}

function hasNumericId(json: unknown): boolean {
  return isObject(json) && idNames.some(name => typeof json[name] === 'number')
}

function lookAtNumbers(text: string): Omit<ParsedJson, 'json'> {
  // By object: which of them is the outermost shows at the end.
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
    // Nested so deep that no store takes it, which is told: JSON.parse gets through that only without a function.
    if (!(error instanceof RangeError)) throw error
    return { writtenIds: new Map(), rounded }
  }
}
