/** The length of a string in UTF-8 bytes. A lone surrogate counts as three, like U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      bytes += 2
      index++
    } else bytes += 2
  }
  return bytes
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}

/**
 * Compares strings by their UTF-8 bytes, as SQLite and Redis do. `<` compares UTF-16 units, which sorts
 * 😀 (U+1F600, a surrogate pair) before U+FF01.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return codePointRank(left) - codePointRank(right)
  }
  return a.length - b.length
}

/** Surrogates encode code points above U+FFFF, so they rank above U+E000 to U+FFFF. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** Makes untrusted text safe for a message: quoted, truncated, and with control characters escaped. */
export function quote(text: string, longest = 80): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text
  return JSON.stringify(shown).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeUnits)
}

/** Escapes each UTF-16 unit. A character above U+FFFF has two. */
function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('')
}

/** A 64-bit digest (two 32-bit FNV-1a hashes over UTF-16 units). Detects accidents, not attacks. */
export function fingerprint(text: string): string {
  let low = 0x811c9dc5
  let high = 0x1b873593
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit ^ (low >>> 15), 0x01000193)
  }
  return hex(low) + hex(high)
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

/** The first units of a text, or one less if they would end with half a surrogate pair. */
export function beginningOf(text: string, units: number): string {
  if (text.length <= units) return text
  const last = text.charCodeAt(units - 1)
  const isCut = last >= 0xd800 && last < 0xdc00 && isLowSurrogate(text.charCodeAt(units))
  return text.slice(0, isCut ? units - 1 : units)
}
