import { hash } from 'node:crypto'
import type { JsonValue, ToolCallRecord } from '@turnstore/core'
import { canonicalJson, encodeItem, encodeToolCall, type Part, type StoredPart } from '@turnstore/core/adapter'

/*
 * The entry of a part says what a change must know of it, so that the part itself need not be read: its place, its size,
 * a digest of it, and one of the name and the arguments of a tool call that has finished.
 */

/** In the place of a digest of a call that has not finished, and of an item. */
export const NO_CALL = '-'

/** 128 bits: nobody finds two parts with one digest. */
const DIGEST_LENGTH = 22

function digestOf(value: JsonValue): string {
  return hash('sha256', canonicalJson(value), 'base64url').slice(0, DIGEST_LENGTH)
}

/** The same for equal parts. */
export function partDigest(part: Part): string {
  return digestOf('callId' in part ? encodeToolCall(part) : encodeItem(part))
}

/** The same for calls with equal names and arguments. */
export function callDigest({ toolName, arguments: given }: ToolCallRecord): string {
  return digestOf([toolName, given])
}

/** The digest of a call in its entry. */
export function finishedDigest(part: Part): string {
  return 'callId' in part && part.status !== 'running' ? callDigest(part) : NO_CALL
}

/** An entry without its place, as scripts take it. */
export function entryOf(part: Part, bytes: number): string {
  return `${bytes} ${partDigest(part)} ${finishedDigest(part)}`
}

/** A part of which only the entry was read. */
export class EntryOfPart implements StoredPart {
  /** Of its id, in its turn. */
  readonly name: string
  readonly text: string
  /** All entries of the id, in their order. */
  readonly all: readonly EntryOfPart[]
  readonly place: number
  readonly bytes: number
  readonly #digest: string
  readonly #call: string

  private constructor(name: string, text: string, all: readonly EntryOfPart[]) {
    const [place, bytes, digest = '', call = ''] = text.split(' ')
    this.name = name
    this.text = text
    this.all = all
    this.place = Number(place)
    this.bytes = Number(bytes)
    this.#digest = digest
    this.#call = call
  }

  /** Reads the entries of an id. Null if they are not valid. */
  static readAll(name: string, text: string): readonly EntryOfPart[] | null {
    const all: EntryOfPart[] = []
    for (const entry of text === '' ? [] : text.split(';')) {
      if (!/^\d+ \d+ [\w-]+ [\w-]+$/.test(entry)) return null
      all.push(new EntryOfPart(name, entry, all))
    }
    return all
  }

  equals(part: Part): boolean {
    return partDigest(part) === this.#digest
  }

  isOtherCall(call: ToolCallRecord): boolean {
    return this.#call !== NO_CALL && callDigest(call) !== this.#call
  }
}
