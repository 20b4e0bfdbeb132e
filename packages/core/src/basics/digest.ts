import type { JsonValue } from './json.js'
import { utf8Bytes } from './runtime.js'

/**
 * A digest of a JSON value that ignores the order of keys: the first 128 bits of SHA-256 over its canonical JSON, as 32
 * hex digits. Equal values have equal digests, and nobody can find two values with one digest.
 */
export function digestOf(value: JsonValue): string {
  return sha256(canonicalJson(value)).slice(0, 32)
}

/** JSON with the keys of each object sorted by UTF-16 units, without whitespace. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.keys(value)
    .toSorted()
    .map(key => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`)
  return `{${members.join(',')}}`
}

/**
 * SHA-256 of the text in UTF-8, as 64 hex digits (FIPS 180-4). Browsers and workers can hash only asynchronously, and a
 * change is decided synchronously.
 */
export function sha256(text: string): string {
  const bytes = utf8Bytes(text)
  const blocks = new DataView(new ArrayBuffer(((bytes.length + 72) >> 6) << 6))
  new Uint8Array(blocks.buffer).set(bytes)
  blocks.setUint8(bytes.length, 0x80)
  blocks.setUint32(blocks.byteLength - 8, Math.floor(bytes.length / 2 ** 29))
  blocks.setUint32(blocks.byteLength - 4, bytes.length << 3)
  const words = new Int32Array(64)
  let hash: readonly number[] = INITIAL
  for (let at = 0; at < blocks.byteLength; at += 64) {
    for (let index = 0; index < 16; index++) words[index] = blocks.getInt32(at + 4 * index)
    hash = compress(hash, words)
  }
  return hash.map(word => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

/** @param words the 16 words of a block, and room for 48 more */
function compress(hash: readonly number[], words: Int32Array): number[] {
  const word = (index: number): number => words[index] ?? 0
  for (let index = 16; index < 64; index++) {
    const early = word(index - 15)
    const late = word(index - 2)
    const mixed = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3)
    words[index] = word(index - 16) + mixed + word(index - 7) + (rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10))
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash
  ROUNDS.forEach((constant, index) => {
    const choice = (e & f) ^ (~e & g)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    const first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + constant + word(index)
    const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
  })
  return [a, b, c, d, e, f, g, h].map((value, index) => (value + (hash[index] ?? 0)) | 0)
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

/** The first 32 bits of the fractional part of a root of each of the first primes. */
function rootsOf(count: number, exponent: number): number[] {
  return primes(count).map(prime => ((prime ** exponent % 1) * 2 ** 32) | 0)
}

function primes(count: number): number[] {
  const found: number[] = []
  for (let number = 2; found.length < count; number++) {
    if (found.every(prime => number % prime !== 0)) found.push(number)
  }
  return found
}

const INITIAL: readonly number[] = rootsOf(8, 1 / 2)
const ROUNDS: readonly number[] = rootsOf(64, 1 / 3)
