import type { JsonObject } from '@turnstore/core'
import { isJsonObject, type ReadMessage, textOf } from '@turnstore/core/adapter'
import { isOpenAiType, itemType, readItem } from '../messages/openai-items.js'
import type { FileDialect, Reading } from '../middle/dialect.js'
import { collectTexts, system, textIn } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'
import { conversation, objectsOf } from '../middle/entries.js'

/** Rollouts of Codex: lines of `{ timestamp, type, payload }`, or, before that, bare items after a line of facts. */
export const codex: FileDialect = {
  name: 'codex',
  title: "Codex's rollout",

  split(file) {
    const lines = objectsOf(file)
    if (lines === null || !isRollout(lines)) return null
    const meta = lines.find(({ type }) => type === 'session_meta')?.payload
    const facts = isJsonObject(meta) ? meta : (lines[0] ?? {})
    const { git = null } = facts
    const times = lines.flatMap(({ timestamp }) => timeOf(timestamp) ?? [])
    return [
      conversation(lines, {
        sessionId: textIn(facts, 'id') || null,
        parentSessionId: textIn(facts, 'forked_from_id') || null,
        createdAt: timeOf(facts.timestamp) ?? times[0] ?? '',
        updatedAt: times.at(-1) ?? '',
        metadata: {
          ...(typeof facts.cwd === 'string' ? { cwd: facts.cwd } : {}),
          ...(git === null ? {} : { git }),
        },
      }),
    ]
  },

  read(line, report): Reading {
    const { type, payload } = line
    const time = timeOf(line.timestamp)
    const timed = time === undefined ? {} : { time }
    const item = isJsonObject(payload) ? payload : line
    if (type === 'response_item' || (payload === undefined && isItem(line))) {
      const read = readItem(item, report)
      return { ...read, said: read.said.map(asNote), ...timed }
    }
    // Events repeat what the items say, or are the tool's own.
    const asides: string[] = []
    collectTexts(line, asides)
    report.lose('events of the tool')
    const info = isJsonObject(item.info) ? item.info.last_token_usage : undefined
    const usage = type === 'event_msg' && item.type === 'token_count' ? usageOf(info) : undefined
    return {
      said: [],
      asides,
      ...timed,
      ...(usage === undefined ? {} : { usage }),
      ...(type === 'turn_context' && typeof item.model === 'string' ? { model: item.model } : {}),
    }
  },
}

const lineTypes = new Set(['session_meta', 'response_item', 'event_msg', 'turn_context', 'compacted'])

function isRollout(lines: readonly JsonObject[]): boolean {
  const [first, ...others] = lines
  if (lines.every(({ type, payload }) => typeof type === 'string' && lineTypes.has(type) && isJsonObject(payload)))
    return true
  const isHead = first !== undefined && typeof first.id === 'string' && 'instructions' in first && !('role' in first)
  return isHead && others.every(line => isItem(line) || 'record_type' in line)
}

function isItem(line: JsonObject): boolean {
  const type = itemType(line)
  return type === 'message' || isOpenAiType(type)
}

const notes = ['<environment_context>', '<user_instructions>', '<permissions instructions>', '# AGENTS.md instructions']

/** What the tool puts in the user's mouth opens no turn. */
function asNote(said: ReadMessage): ReadMessage {
  if (said.role !== 'user') return said
  const text = textOf(said.content)?.trimStart() ?? ''
  return notes.some(note => text.startsWith(note)) ? system(said.content) : said
}
