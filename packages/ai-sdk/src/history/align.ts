import type { JsonValue } from '@turnstore/core'
import { canonicalJson } from '@turnstore/core/adapter'
import type { Message } from '../messages/message.js'
import { exchangesOf } from '../messages/turns.js'
import type { Exchange } from './exchange.js'

/** What a turn is to be. */
export interface Wanted {
  /** The stored turn that stays in its place; null for a new one. */
  readonly before: Exchange | null
  /** Those of `before` itself if nothing changes. */
  readonly messages: readonly Message[]
}

/** Finds the stored turns that a list of messages keeps: the common beginning, and edited turns after it. */
export function align(stored: readonly Exchange[], messages: readonly Message[]): Wanted[] {
  let at = 0
  let kept = 0
  for (; kept < stored.length; kept++) {
    const known = stored[kept]?.messages ?? []
    if (!known.every((message, index) => isSame(message, messages[at + index]))) break
    at += known.length
  }
  // What comes next belongs to the exchange before it, unless it opens one.
  while (kept > 0 && at < messages.length && messages[at]?.role !== 'user') {
    at -= stored[--kept]?.messages.length ?? 0
  }
  const wanted: Wanted[] = stored.slice(0, kept).map(asItIs)
  let isMoved = false
  for (const exchange of exchangesOf(messages.slice(at))) {
    const before = stored[wanted.length]
    isMoved ||= before === undefined || openingOf(before.messages)?.id !== openingOf(exchange)?.id
    if (isMoved || before === undefined) wanted.push({ before: null, messages: exchange })
    else wanted.push(isSame(before.messages, exchange) ? asItIs(before) : { before, messages: exchange })
  }
  return wanted
}

export function asItIs(before: Exchange): Wanted {
  return { before, messages: before.messages }
}

/** The message that opens an exchange. */
export function openingOf(messages: readonly Message[]): Message | undefined {
  return messages.find(({ role }) => role === 'user') ?? messages[0]
}

export function isSame(one: JsonLike, other: JsonLike | undefined): boolean {
  return one === other || (other !== undefined && canonicalJson(jsonOf(one)) === canonicalJson(jsonOf(other)))
}

type JsonLike = Message | readonly Message[]

function jsonOf(value: JsonLike): JsonValue {
  return 'role' in value ? value : [...value]
}
