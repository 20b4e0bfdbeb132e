import {
  CHAT_FORMAT,
  type JsonObject,
  messagesFromTurns,
  NO_RESULT,
  type ToolCallRecord,
  type TurnItem,
  type TurnRecord,
} from '@turnstore/core'
import {
  CallIds,
  type ChatContent,
  cloneJsonObject,
  isJsonObject,
  partIdOf,
  type ReadMessage,
} from '@turnstore/core/adapter'
import { dialects } from './dialects.js'
import type { FromTurns, FromTurnsOptions } from './format.js'
import { type Dialect, type Read, readerOf, type Reading, type WriteOptions, type Written } from './middle/dialect.js'
import { failedResults } from './middle/failures.js'
import { isPart } from './middle/say.js'

type Writer = Dialect & { write: NonNullable<Dialect['write']> }

/** Whether a format has a way out. */
export function isWriter(dialect: Dialect): dialect is Writer {
  return 'write' in dialect
}

/**
 * Converts turns to messages of one format. Items of that format come back exactly. All other turns are read by the
 * format of their items, or from their records, made sendable as `messagesFromTurns` does, and written anew.
 */
export function fromTurns(dialect: Writer, turns: readonly TurnRecord[], options: FromTurnsOptions = {}): FromTurns {
  const lost = new Set<string>()
  const lose = (what: string): void => void lost.add(what)
  const messages: JsonObject[] = []
  const systems: string[] = []
  const add = (written: Written): void => {
    for (const message of written.messages) messages.push(message)
    if (written.system !== undefined && !systems.includes(written.system)) systems.push(written.system)
  }
  for (const run of runsOf(turns, dialect.name)) {
    const [first] = run.turns
    if (first === undefined) continue
    if (run.isOwn) {
      for (const turn of run.turns) {
        for (const message of ownMessages(turn, dialect, { before: messages, lose })) messages.push(message)
      }
    } else {
      const crossing = { target: dialect, unnamed: new UnnamedCalls(), readers: new Map<Dialect, Read>(), lose }
      const chatTurns = run.turns.map(turn => chatTurn(turn, crossing))
      const { turnId: idPrefix, startedAt } = first
      add(writeTurns(chatTurns, dialect, { idPrefix, startedAt, before: messages, lose, ...options }))
    }
  }
  return {
    messages,
    ...(systems.length === 0 ? {} : { system: systems.join('\n\n') }),
    lost: [...lost].toSorted(),
  }
}

/** Makes turns with chat messages sendable, and writes them. */
function writeTurns(
  turns: readonly TurnRecord[],
  dialect: Writer,
  { incomplete = 'drop', ...options }: FromTurnsOptions & Omit<WriteOptions, 'failed'>,
): Written {
  const messages = messagesFromTurns(turns, { incomplete })
  return dialect.write(messages, { ...options, failed: failedResults(messages, turns.flatMap(failuresOf)) })
}

/** Whether each call of a turn failed, in the order in which `messagesFromTurns` renders them. */
function failuresOf({ turnId, items, toolCalls }: TurnRecord): boolean[] {
  const isFailed = (call: ToolCallRecord | undefined): boolean =>
    call !== undefined && call.status !== 'success' && call.error !== null
  const records = new Map(toolCalls.map(call => [call.callId, call]))
  const ids = new CallIds(turnId)
  const named = new Map<string, ToolCallRecord | undefined>()
  for (const { value } of items) {
    if (!isJsonObject(value) || !Array.isArray(value.tool_calls)) continue
    for (const call of value.tool_calls) {
      const id = ids.next(isJsonObject(call) && typeof call.id === 'string' ? call.id : '')
      named.set(id, records.get(id))
    }
  }
  const others = toolCalls.filter(({ callId }) => !named.has(callId))
  return [...named.values(), ...others].map(isFailed)
}

/** Neighbours are rendered together, as a result may come in a later turn than its call. */
function runsOf(turns: readonly TurnRecord[], format: string): { isOwn: boolean; turns: TurnRecord[] }[] {
  const runs: { isOwn: boolean; turns: TurnRecord[] }[] = []
  for (const turn of turns) {
    const isOwn = turn.items.some(item => item.format === format && isJsonObject(item.value))
    const last = runs.at(-1)
    if (last?.isOwn === isOwn) last.turns.push(turn)
    else runs.push({ isOwn, turns: [turn] })
  }
  return runs
}

/** The items of a turn exactly, and the calls that none of them names. */
function ownMessages(
  turn: TurnRecord,
  dialect: Writer,
  { before, lose }: Pick<WriteOptions, 'before' | 'lose'>,
): JsonObject[] {
  const items = turn.items.filter(item => item.format === dialect.name)
  if (items.length < turn.items.length) lose('items of other formats')
  const ids = new CallIds(turn.turnId)
  const named = new Set<string>()
  const messages = items.flatMap(({ value }) => (isJsonObject(value) ? [cloneJsonObject(value)] : []))
  const read = readerOf(dialect)
  for (const message of messages) {
    for (const said of read(message, { tell() {}, lose() {} }).said) {
      if (said.role === 'assistant') for (const { id } of said.calls) named.add(ids.next(id))
    }
  }
  const others = turn.toolCalls.filter(({ callId }) => !named.has(callId))
  if (others.length === 0) return messages
  const rest: TurnRecord = { ...turn, items: [], prompt: '', responseContent: null, toolCalls: others }
  const { startedAt } = turn
  const options = { idPrefix: `${turn.turnId}-calls`, startedAt, before: [...before, ...messages], lose }
  return [...messages, ...writeTurns([rest], dialect, options).messages]
}

/** A turn whose items are chat messages, whatever they were before. */
function chatTurn(turn: TurnRecord, { target, unnamed, readers, lose }: Crossing): TurnRecord {
  const known = turn.items.flatMap(item => {
    const dialect = dialects.find(({ name }) => name === item.format)
    return dialect === undefined || !isJsonObject(item.value) ? [] : [{ dialect, value: item.value }]
  })
  if (known.length < turn.items.length) lose('items of unknown formats')
  // One format alone, as several tell the same turn several times: chat, as core takes it, or the first.
  const chosen = known.find(({ dialect }) => dialect.name === CHAT_FORMAT)?.dialect ?? known[0]?.dialect
  const said: ReadMessage[] = []
  for (const { dialect, value } of known) {
    if (dialect !== chosen) {
      lose('items of other formats')
      continue
    }
    const read = readers.get(dialect) ?? readerOf(dialect)
    readers.set(dialect, read)
    const reading = read(value, { tell: () => lose('what was not read'), lose })
    loseParts(reading, lose)
    if ('id' in value && dialect !== target) lose('message ids')
    said.push(...reading.said)
  }
  const ids = new CallIds(turn.turnId)
  const items: TurnItem[] = merged(said).map((read, index) => ({
    itemId: partIdOf('items', turn.turnId, index),
    format: CHAT_FORMAT,
    value: chatMessage(read, ids, unnamed),
  }))
  return { ...turn, items }
}

/** Calls that come in items of their own belong to the message before them. */
function merged(said: readonly ReadMessage[]): ReadMessage[] {
  const result: ReadMessage[] = []
  for (const read of said) {
    const last = result.at(-1)
    if (read.role === 'assistant' && last?.role === 'assistant' && read.content === undefined) {
      result[result.length - 1] = { ...last, calls: [...last.calls, ...read.calls] }
    } else result.push(read)
  }
  return result
}

/** Calls without ids, until they are answered: by the name of their tool, in order. */
class UnnamedCalls {
  readonly #open = new Map<string, string[]>()

  /** @param callId the id in the record of the turn */
  add(key: string, callId: string): void {
    this.#open.set(key, [...(this.#open.get(key) ?? []), callId])
  }

  take(key: string): string | undefined {
    return this.#open.get(key)?.shift()
  }
}

interface Crossing {
  readonly target: Dialect
  readonly unnamed: UnnamedCalls
  /** Of the conversation. */
  readonly readers: Map<Dialect, Read>
  readonly lose: WriteOptions['lose']
}

function chatMessage(read: ReadMessage, ids: CallIds, unnamed: UnnamedCalls): JsonObject {
  if (read.role === 'tool') {
    return { role: 'tool', tool_call_id: unnamed.take(read.key) ?? read.key, content: contentOf(read) }
  }
  if (read.role !== 'assistant') return { role: read.role, content: read.content }
  const calls = read.calls.map(({ id, key, name, written }) => {
    const callId = ids.next(id)
    if (id === '') unnamed.add(key, callId)
    const target = { name, ...(written === undefined ? {} : { arguments: written }) }
    return { id: id === '' ? callId : id, type: 'function', function: target }
  })
  return {
    role: 'assistant',
    ...(read.content === undefined ? {} : { content: read.content }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

function contentOf({ content, outcome }: ReadMessage & { role: 'tool' }): ChatContent {
  return outcome?.error ?? content ?? NO_RESULT
}

/** Media that chat messages have no place for. */
function loseParts({ said }: Reading, lose: WriteOptions['lose']): void {
  for (const { role, content } of said) {
    for (const part of Array.isArray(content) ? content : []) {
      if (part.type === 'text' || part.type === 'refusal') continue
      if (role !== 'user') lose(`media of ${role === 'tool' ? 'results' : `${role} messages`}`)
      else if (
        !isPart(part) ||
        (isJsonObject(part.file) && part.file.file_data === undefined && part.file.file_id === undefined)
      ) {
        lose('files by URL')
      }
    }
  }
}
