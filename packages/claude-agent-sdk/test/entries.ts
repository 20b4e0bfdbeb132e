import type { JsonObject } from '@turnstore/core'
import fc from 'fast-check'
import { talks } from '../../formats/test/conversations.ts'
import { claudeCodeLines } from '../../formats/test/native-files/claude-code.ts'
import type { SessionKey, SessionStoreEntry } from '../src/index.ts'

export const key: SessionKey = { projectKey: '-home-ada-app', sessionId: '6f9f10a0-a7b1-477b-8135-7277b06f97ef' }

let at = Date.parse('2026-02-03T10:00:00Z')

/** An entry with a uuid and a time. */
export function entry(uuid: string, type: string, members: JsonObject = {}): SessionStoreEntry {
  const timestamp = new Date((at += 1_000)).toISOString()
  return { parentUuid: null, isSidechain: false, type, uuid, timestamp, sessionId: key.sessionId, ...members }
}

export function asks(uuid: string, prompt: string): SessionStoreEntry {
  return entry(uuid, 'user', { message: { role: 'user', content: [{ type: 'text', text: prompt }] } })
}

export function says(uuid: string, text: string): SessionStoreEntry {
  return entry(uuid, 'assistant', { message: { role: 'assistant', model: 'm', content: [{ type: 'text', text }] } })
}

export function calls(uuid: string, ...ids: readonly string[]): SessionStoreEntry {
  const content = ids.map(id => ({ type: 'tool_use', id, name: 'Bash', input: { command: `echo ${id}` } }))
  return entry(uuid, 'assistant', { message: { role: 'assistant', model: 'm', content } })
}

export function gives(uuid: string, caller: string, id: string, isError = false): SessionStoreEntry {
  const content = [{ type: 'tool_result', tool_use_id: id, content: `output of ${id}`, is_error: isError }]
  return entry(uuid, 'user', {
    parentUuid: caller,
    sourceToolAssistantUUID: caller,
    message: { role: 'user', content },
    toolUseResult: { stdout: `output of ${id}` },
  })
}

/** An entry without a uuid. */
export function mode(name: string): SessionStoreEntry {
  return { type: 'mode', mode: name, sessionId: key.sessionId }
}

const marks: fc.Arbitrary<SessionStoreEntry> = fc.oneof(
  fc.constantFrom('normal', 'plan').map(mode),
  fc.constant<SessionStoreEntry>({ type: 'atis-latch', atis: '', sessionId: key.sessionId }),
  fc.json().map((text): SessionStoreEntry => ({ type: 'cost-state', value: JSON.parse(text) })),
)

/** Call ids that repeat are renamed in a turn by all calls before. Only entries read at once have the same names. */
function withoutRepeatedCalls(list: readonly SessionStoreEntry[]): SessionStoreEntry[] {
  const seen = new Set<string>()
  return list.filter(each => {
    const ids = [...JSON.stringify(each).matchAll(/"type":"tool_use","id":"([^"]*)"/g)].map(([, id = '']) => id)
    const isNew = ids.every(id => id !== '' && id.length < 200 && !seen.has(id))
    for (const id of ids) seen.add(id)
    return isNew
  })
}

const odd: fc.Arbitrary<SessionStoreEntry> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).map(text => asks('', text)),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map(text => says('', text)),
  fc.constantFrom('a', 'b', '', 'c'.repeat(300)).map(id => calls('', id)),
  fc.constant(calls('', 'a', 'b')),
  fc.constantFrom('a', 'b', 'z').map(id => gives('', '', id)),
  fc.constantFrom('', ' for tool use').map(why => asks('', `[Request interrupted by user${why}]`)),
  fc.json().map((text): SessionStoreEntry => ({ ...asks('', 'x'), message: JSON.parse(text) })),
  fc.json().map((text): SessionStoreEntry => ({ ...entry('', 'attachment'), attachment: JSON.parse(text) })),
)

/** Each entry gets a uuid, and may name any before it as the one that it answers. */
const oddLists: fc.Arbitrary<SessionStoreEntry[]> = fc
  .array(fc.tuple(fc.oneof({ weight: 3, arbitrary: odd }, marks), fc.nat()), { maxLength: 20 })
  .map(list => {
    const ids: string[] = []
    return list.map(([each, place], index) => {
      if (each.uuid === undefined) return each
      const uuid = `u${index}`
      const caller = ids.length === 0 ? null : (ids[place % ids.length] ?? null)
      ids.push(uuid)
      return {
        ...each,
        uuid,
        parentUuid: caller,
        ...('sourceToolAssistantUUID' in each ? { sourceToolAssistantUUID: caller } : {}),
      }
    })
  })

/** Sessions as Claude Code writes them, with entries without a uuid anywhere between. */
const realLists: fc.Arbitrary<SessionStoreEntry[]> = fc
  .tuple(talks, fc.array(fc.tuple(marks, fc.nat()), { maxLength: 8 }))
  .map(([talk, more]) => {
    const list: SessionStoreEntry[] = claudeCodeLines(talk, key.sessionId).map(line => ({
      ...line,
      type: typeof line.type === 'string' ? line.type : '',
    }))
    for (const [mark, place] of more) list.splice(place % (list.length + 1), 0, mark)
    return list
  })

export const cleanLists: fc.Arbitrary<SessionStoreEntry[]> = fc.oneof(realLists, oddLists).map(withoutRepeatedCalls)

export const lists: fc.Arbitrary<SessionStoreEntry[]> = fc.oneof(realLists, oddLists)

/** An entry as it comes back: what is no JSON is not part of it. */
export function asJson(entries: readonly SessionStoreEntry[]): unknown {
  return JSON.parse(JSON.stringify(entries))
}
