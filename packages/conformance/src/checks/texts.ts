/*
 * The texts of failures. A store may make an error, a result or an id as long and as strange as it likes; what a failure
 * says of it is short, and each character in it can be told from others that look alike.
 */

/** Long enough for the calls of a random history. */
const LONGEST = 10_000

/** A text of at most so many characters. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}… (${text.length} characters)` : text
}

/** The message of a failure. */
export function plain(message: string): string {
  return cut(message, LONGEST).replaceAll(/[\u0080-\u2025\u2027-\u{10ffff}]/gu, codePointOf)
}

function codePointOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}

/** Whether a value is small enough for a runner to show it. Looks at no more of it than that. */
export function isSmall(value: unknown): boolean {
  let left = LONGEST
  const seen = new Set<unknown>()
  const visit = (part: unknown): void => {
    left -= typeof part === 'string' ? part.length : 1
    if (left < 0 || typeof part !== 'object' || part === null || seen.has(part)) return
    seen.add(part)
    const count = Array.isArray(part) ? part.length : 0
    if (count > left) left = -1
    else
      for (const [key, { value: member }] of Object.entries(Object.getOwnPropertyDescriptors(part))) {
        if (left < 0) return
        left -= key.length
        visit(member)
      }
  }
  visit(value)
  return left >= 0
}
