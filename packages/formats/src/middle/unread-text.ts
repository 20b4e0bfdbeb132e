import type { JsonObject, JsonValue } from '@turnstore/core'
import type { Reading } from './dialect.js'

/**
 * The path of a text in a message that its reading does not have, or null. Readers know the members that their format
 * documents; this finds text in any other, so that nothing is left out in silence.
 *
 * @param facts members whose text nobody said
 */
export function unreadText(message: JsonObject, reading: Reading, facts: ReadonlySet<string>): string | null {
  const read = new Set<string>(reading.thoughts)
  for (const aside of reading.asides ?? []) read.add(aside)
  for (const each of reading.said) {
    if (typeof each.content === 'string') read.add(each.content)
    else if (each.content !== undefined && each.content !== null) collect(each.content, read)
    if (each.role === 'tool' && each.outcome !== undefined) {
      collect(each.outcome.result, read)
      if (each.outcome.error !== null) read.add(each.outcome.error)
    }
    if (each.role === 'assistant')
      for (const { written } of each.calls) if (written !== undefined) collect(written, read)
  }
  return find(message, '', { read, facts })
}

interface Known {
  readonly read: ReadonlySet<string>
  readonly facts: ReadonlySet<string>
}

function collect(value: JsonValue, into: Set<string>): void {
  if (typeof value === 'string') into.add(value)
  else if (Array.isArray(value)) for (const member of value) collect(member, into)
  else if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) collect(member, into)
}

/** @param name of the member, or of the one that holds the list */
function find(value: JsonValue, name: string, known: Known): string | null {
  if (typeof value === 'string') return known.read.has(value) || !isText(value, name) ? null : ''
  if (typeof value !== 'object' || value === null) return null
  if (Array.isArray(value)) {
    for (const member of value) {
      const path = find(member, name, known)
      if (path !== null) return joined('[]', path)
    }
    return null
  }
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (member === undefined || known.facts.has(key)) continue
    const path = find(member, key, known)
    if (path !== null) return joined(nameOf(key), path)
  }
  return null
}

function joined(name: string, path: string): string {
  return `${name}${path === '' || path.startsWith('[') ? '' : '.'}${path}`
}

/** Problems never quote a message, and a member may be named by anybody. */
function nameOf(key: string): string {
  return /^[\w$-]{1,40}$/.test(key) ? key : '*'
}

/** Where a single word is text too. */
const textMembers = new Set(['content', 'text', 'parts', 'output', 'refusal', 'reasoning', 'thinking', 'value'])

/** Whether somebody may have said a text: ids, types, media and times have neither spaces nor letters beyond ASCII. */
function isText(text: string, name: string): boolean {
  if (textMembers.has(name)) return text.trim() !== ''
  // oxlint-disable-next-line no-control-regex
  return /\s|[^\x00-\x7f]/.test(text) && text.trim() !== '' && !/^\d{4}-\d\d-\d\d[ T][\d:.,+ Z-]{0,30}$/.test(text)
}
