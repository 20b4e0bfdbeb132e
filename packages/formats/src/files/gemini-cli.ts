import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Conversation, FileDialect } from '../middle/dialect.js'
import { conversation, objectsOf } from '../middle/entries.js'
import { collectTexts, takeText, textIn } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { readGeminiCli } from './gemini-cli-message.js'

/**
 * Sessions of Gemini CLI: one object with all messages, or lines: a line of facts, then messages, each again when it
 * grows, and changes. What was rewound becomes a fork.
 */
export const geminiCli: FileDialect = {
  name: 'gemini-cli',
  title: "Gemini CLI's session",
  // What the tool shows instead of the content or the result that the model got.
  facts: new Set(['displayContent', 'displayName', 'description', 'resultDisplay', 'agentId', 'tokens']),
  read: readGeminiCli,
  unit: 'line',
  belonging(lines) {
    const isSession = lines.some(line => isJsonObject(line) && isHead(line) && line.messages === undefined)
    return line => (isHead(line) ? isWhole(line) : isSession && (isMessage(line) || isChange(line)))
  },
  split(lines) {
    const sessions: Conversation[] = []
    let log: JsonObject[] = []
    // A session that stands alone has all its messages in one object.
    for (const line of lines) {
      if (Array.isArray(line.messages) || (isHead(line) && log.length > 0 && line.sessionId !== log[0]?.sessionId)) {
        if (log.length > 0) sessions.push(...replay(log))
        log = []
      }
      log.push(line)
    }
    return [...sessions, ...replay(log)]
  },
}

function isHead(record: JsonObject): boolean {
  return typeof record.sessionId === 'string' && typeof record.projectHash === 'string'
}

function isWhole({ messages }: JsonObject): boolean {
  return messages === undefined || (Array.isArray(messages) && messages.every(isMessage))
}

function isMessage(message: unknown): boolean {
  return isJsonObject(message) && typeof message.type === 'string' && 'content' in message && !('role' in message)
}

function isChange({ $set, $rewindTo }: JsonObject): boolean {
  return isJsonObject($set) || typeof $rewindTo === 'string'
}

const superseded = 'has an earlier version of a message, with text that the later one lacks; left out'

/** Follows the lines as the tool does when it resumes the session. */
class Replay {
  facts: JsonObject = {}
  /** Facts that later lines replace. */
  readonly earlier: JsonObject[] = []
  readonly messages = new Map<string, JsonObject>()
  readonly rewound: JsonObject[][] = []
  readonly problems: string[] = []

  add(line: JsonObject): void {
    const { $rewindTo, $set, ...others } = line
    if (typeof $rewindTo === 'string') this.#rewind($rewindTo)
    if (isJsonObject($set)) this.#change($set)
    if (isHead(line)) this.#change(line)
    else if (typeof $rewindTo === 'string' || isJsonObject($set)) this.#note(others)
    else this.#put(line)
  }

  #put(message: JsonObject): void {
    const id = textIn(message, 'id') || `#${this.messages.size}`
    const before = this.messages.get(id)
    if (before !== undefined && lacksText(message, before)) this.problems.push(superseded)
    this.messages.set(id, message)
  }

  #change({ messages, ...facts }: JsonObject): void {
    this.#note(facts)
    const checkpoint = objectsOf(messages)
    if (checkpoint === null) {
      if (messages === undefined || (Array.isArray(messages) && messages.length === 0)) return
      this.problems.push('has messages that are not all objects; kept as metadata, but not read')
      this.#note({ messages })
      return
    }
    const ids = new Set(checkpoint.map(message => textIn(message, 'id')))
    if ([...this.messages.keys()].some(id => !ids.has(id))) this.rewound.push([...this.messages.values()])
    const before = new Map(this.messages)
    this.messages.clear()
    for (const message of checkpoint) {
      const old = before.get(textIn(message, 'id'))
      if (old !== undefined && lacksText(message, old)) this.problems.push(superseded)
      this.#put(message)
    }
  }

  #note(facts: JsonObject): void {
    for (const [name, value] of Object.entries(facts)) {
      const before = this.facts[name]
      if (before !== undefined && timeOf(before) === undefined && lacksText(value, before))
        this.earlier.push({ [name]: before })
    }
    this.facts = { ...this.facts, ...facts }
  }

  #rewind(id: string): void {
    if (this.messages.size > 0) this.rewound.push([...this.messages.values()])
    let isFound = !this.messages.has(id)
    if (isFound) this.problems.push('goes back to a message that is not there; all before it becomes a fork')
    for (const each of this.messages.keys()) {
      if (each === id) isFound = true
      if (isFound) this.messages.delete(each)
    }
  }
}

function lacksText(value: JsonValue, before: JsonValue): boolean {
  const now: string[] = []
  const then: string[] = []
  collectTexts(value, now)
  collectTexts(before, then)
  const said = new Set(now)
  return then.some(text => text !== '' && !said.has(text))
}

function replay(lines: readonly JsonObject[]): Conversation[] {
  const { facts, earlier, messages, rewound, problems } = replayed(lines)
  const id = textIn(facts, 'sessionId') || null
  const { text: title, others: source } = takeText(facts, 'summary')
  const known = {
    createdAt: timeOf(facts.startTime) ?? '',
    updatedAt: timeOf(facts.lastUpdated) ?? '',
    metadata: { ...(title === '' ? {} : { title }), source, ...(earlier.length === 0 ? {} : { earlier }) },
  }
  return [
    conversation([...messages.values()], { ...known, sessionId: id, problems }),
    ...rewound.map(old => {
      const last = textIn(old.at(-1) ?? {}, 'id')
      return conversation(old, { ...known, sessionId: id === null ? null : `${id}:${last}`, parentSessionId: id })
    }),
  ]
}

function replayed(lines: readonly JsonObject[]): Replay {
  const state = new Replay()
  for (const line of lines) state.add(line)
  return state
}
