import { invalidRecord } from './members.js'

/**
 * Parses JSON. On failure, the error gives the position: `line 3, column 12`. V8's own message quotes the
 * text, so it is dropped.
 * @throws `INVALID_RECORD`
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const place = locateJsonError(text)
    throw invalidRecord(
      what,
      `is not JSON${place === null ? '' : `: ${place.reason} at line ${place.line}, column ${place.column}`}`,
    )
  }
}

const TOKEN =
  // oxlint-disable-next-line no-control-regex -- JSON refuses raw control characters in strings
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])|$)/y

interface Place {
  line: number
  column: number
  reason: string
}

/**
 * Finds the position of the first error in text that JSON.parse refused. Returns null if it cannot be
 * determined. It has its own scanner because the engines' messages quote the text.
 */
export function locateJsonError(text: string): Place | null {
  try {
    return scan(text)
  } catch {
    return null // a token too long for the regular expression's stack
  }
}

/** Reads tokens until one is invalid. */
function scan(text: string): Place {
  const open: ('{' | '[')[] = []
  let expected: 'value' | 'key' | 'colon' | 'comma' | 'end' = 'value'
  let mayClose = false
  let at = 0
  for (;;) {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(text)
    const start = at + (/[ \t\n\r]*/y.exec(text.slice(at, at + 1024))?.[0].length ?? 0)
    if (match === null) return placeOf(text, start, reasonAt(text, start))
    const [, mark, string, scalar] = match
    at = TOKEN.lastIndex
    if (mark === undefined && string === undefined && scalar === undefined) {
      return placeOf(text, text.length, 'unexpected end')
    }
    const isValue = string !== undefined || scalar !== undefined
    if (expected === 'end') return placeOf(text, start, 'text after the end')
    if (mayClose && (mark === '}' || mark === ']') && open.at(-1) === (mark === '}' ? '{' : '[')) {
      open.pop()
      expected = open.length === 0 ? 'end' : 'comma'
      mayClose = open.length > 0
    } else if (expected === 'value' && (isValue || mark === '{' || mark === '[')) {
      if (mark === '{' || mark === '[') {
        open.push(mark)
        expected = mark === '{' ? 'key' : 'value'
        mayClose = true
      } else {
        expected = open.length === 0 ? 'end' : 'comma'
        mayClose = open.length > 0
      }
    } else if (expected === 'key' && string !== undefined) {
      expected = 'colon'
      mayClose = false
    } else if (expected === 'colon' && mark === ':') {
      expected = 'value'
      mayClose = false
    } else if (expected === 'comma' && mark === ',') {
      expected = open.at(-1) === '{' ? 'key' : 'value'
      mayClose = false
    } else {
      return placeOf(text, start, 'unexpected text')
    }
  }
}

function reasonAt(text: string, at: number): string {
  if (at >= text.length) return 'unexpected end'
  if (text.startsWith('\uFEFF', at)) return 'byte-order mark'
  if (text.startsWith('\0', at)) return 'NUL byte'
  const word = /^-?(?:NaN|Infinity)/.exec(text.slice(at, at + 10))
  // Python's json writes these three. Quoting them reveals no data.
  if (word !== null) return `${word[0]}, which is not valid JSON,`
  return text[at] === '"' ? 'invalid string' : 'unexpected text'
}

function placeOf(text: string, at: number, reason: string): Place {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  return { line, column: at - before.lastIndexOf('\n'), reason }
}
