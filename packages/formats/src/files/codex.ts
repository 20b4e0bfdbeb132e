import type { JsonObject } from '@turnstore/core'
import { isJsonObject, type ReadMessage, textOf } from '@turnstore/core/adapter'
import { isOpenAiType, itemFacts, itemType, readItem } from '../messages/openai-items.js'
import type { Conversation, FileDialect, Reading, Report } from '../middle/dialect.js'
import { conversation, listOf } from '../middle/entries.js'
import { collectTexts, system, textIn } from '../middle/say.js'
import { spanOf, timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'

/**
 * Rollouts of Codex: lines of `{ timestamp, type, payload }`, or, before that, items after a line of facts, and first of
 * all one object with the items. Turns that were rolled back become forks.
 */
export const codex: FileDialect = {
  name: 'codex',
  title: "Codex's rollout",
  facts: itemFacts,

  read(line, report): Reading {
    const time = timeOf(line.timestamp)
    const item = itemOf(line)
    const read = item === null ? readEvent(line, report) : readItem(item, report)
    const stop = read.said.some(isAborted) ? { isStop: true } : {}
    return { ...read, said: read.said.map(asNote), ...stop, ...(time === undefined ? {} : { time }) }
  },

  unit: 'line',
  belonging(lines) {
    const [first] = lines
    const isOld = isJsonObject(first) && isHead(first)
    return line => isNewLine(line) || isWholeRollout(line) || (isOld && (isHead(line) || isOldLine(line)))
  },
  split(lines) {
    const others = lines.filter(line => !isWholeRollout(line))
    return [...lines.filter(isWholeRollout).flatMap(splitWhole), ...(others.length === 0 ? [] : splitLines(others))]
  },
}

/** The item that a line holds, or null. */
function itemOf(line: JsonObject): JsonObject | null {
  if (line.type === 'response_item') return isJsonObject(line.payload) ? line.payload : null
  return line.payload === undefined && isItem(line) ? line : null
}

function isNewLine({ type, payload }: JsonObject): boolean {
  return typeof type === 'string' && lineTypes.has(type) && isJsonObject(payload)
}

const lineTypes = new Set([
  'session_meta',
  'response_item',
  'event_msg',
  'turn_context',
  'compacted',
  'world_state',
  'inter_agent_communication',
  'inter_agent_communication_metadata',
])

/** The first line of an older rollout. */
function isHead(line: JsonObject): boolean {
  const isOther = 'type' in line || 'role' in line || 'payload' in line
  return (
    !isOther &&
    typeof line.id === 'string' &&
    typeof line.timestamp === 'string' &&
    ('instructions' in line || 'git' in line)
  )
}

function isOldLine(line: JsonObject): boolean {
  return isItem(line) || typeof line.record_type === 'string'
}

function isItem(line: JsonObject): boolean {
  const type = itemType(line)
  return type === 'message' || isOpenAiType(type)
}

function isWholeRollout({ session, items }: JsonObject): boolean {
  return isJsonObject(session) && typeof session.id === 'string' && Array.isArray(items)
}

/** Events repeat what the items say, or are the tool's own. */
function readEvent(line: JsonObject, report: Report): Reading {
  const { type, payload, record_type: record } = line
  const isKnown = isNewLine(line) || isHead(line) || isJsonObject(line.session) || typeof record === 'string'
  if (!isKnown || !isJsonObject(payload ?? line)) {
    report.tell('is a line of an unknown type; kept, but not read')
    return { said: [] }
  }
  const asides: string[] = []
  collectTexts(line, asides)
  report.lose(type === 'compacted' ? 'compactions' : 'events of the tool')
  if (!isJsonObject(payload)) return { said: [], asides }
  if (type === 'turn_context')
    return { said: [], asides, ...(typeof payload.model === 'string' ? { model: payload.model } : {}) }
  if (type !== 'event_msg' || payload.type !== 'token_count' || !isJsonObject(payload.info)) return { said: [], asides }
  const { info } = payload
  const usage = usageOf(info.last_token_usage)
  // The same count comes again when only the limits change.
  const total = JSON.stringify(info.total_token_usage ?? null)
  return { said: [], asides, ...(usage === undefined ? {} : { usage, usageKey: total }) }
}

const notes =
  /^\s*(?:<(?:environment_context|user_instructions|permissions instructions|collaboration_mode|skills?_?\w*|turn_aborted|user_shell_command|model_switch|apps_instructions|plugins_instructions|subagent_notification)>|# AGENTS\.md instructions)/

function isAborted(said: ReadMessage): boolean {
  return said.role === 'user' && /^\s*<turn_aborted>/.test(textOf(said.content) ?? '')
}

/** What the tool puts in the user's mouth opens no turn. */
function asNote(said: ReadMessage): ReadMessage {
  return said.role === 'user' && notes.test(textOf(said.content) ?? '') ? system(said.content) : said
}

function splitWhole({ items, ...head }: JsonObject): Conversation[] {
  const lines = listOf(items)
  const objects = lines.filter(isJsonObject)
  const [main, ...others] = splitLines([head, ...objects])
  const problems = Array.from(
    { length: lines.length - objects.length },
    () => 'has an item that is no object; left out',
  )
  return main === undefined ? [] : [{ ...main, problems }, ...others]
}

function splitLines(lines: readonly JsonObject[]): Conversation[] {
  const meta = lines.find(({ type }) => type === 'session_meta')?.payload
  const [first = {}] = lines
  const facts = isJsonObject(meta) ? meta : isJsonObject(first.session) ? first.session : first
  const id = textIn(facts, 'id') || null
  const { git = null } = facts
  const span = spanOf(lines)
  const named = lines.findLast(
    ({ payload }) => isJsonObject(payload) && typeof payload.thread_name === 'string',
  )?.payload
  const title = isJsonObject(named) ? textIn(named, 'thread_name') : ''
  const known = {
    createdAt: timeOf(facts.timestamp) ?? span.createdAt,
    updatedAt: span.updatedAt,
    metadata: {
      ...(title === '' ? {} : { title }),
      ...(typeof facts.cwd === 'string' ? { cwd: facts.cwd } : {}),
      ...(git === null ? {} : { git }),
    },
  }
  const { kept, rolledBack } = withoutRollbacks(lines)
  return [
    conversation(kept, { ...known, sessionId: id, parentSessionId: textIn(facts, 'forked_from_id') || null }),
    ...rolledBack.map((old, index) =>
      conversation(old, {
        ...known,
        sessionId: id === null ? null : `${id}:rollback-${index + 1}`,
        parentSessionId: id,
      }),
    ),
  ]
}

/** The lines that count, and what the conversation was before each rollback. */
function withoutRollbacks(lines: readonly JsonObject[]): { kept: JsonObject[]; rolledBack: JsonObject[][] } {
  const kept: JsonObject[] = []
  const rolledBack: JsonObject[][] = []
  for (const line of lines) {
    const { payload } = line
    if (line.type === 'event_msg' && isJsonObject(payload) && payload.type === 'thread_rolled_back') {
      const prompts = [...kept.keys()].filter(index => isPrompt(kept[index]))
      const count = typeof payload.num_turns === 'number' ? payload.num_turns : 0
      const start = count > 0 ? prompts[Math.max(0, prompts.length - count)] : undefined
      if (start !== undefined) {
        rolledBack.push([...kept])
        kept.length = start
      }
    }
    kept.push(line)
  }
  return { kept, rolledBack }
}

function isPrompt(line: JsonObject | undefined): boolean {
  const item = line === undefined ? null : itemOf(line)
  if (item?.role !== 'user') return false
  return readItem(item, { tell() {}, lose() {} }).said.some(said => asNote(said).role === 'user')
}
