import type { JsonObject } from '@turnstore/core'
import { isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import { readAnthropic } from '../messages/anthropic.js'
import type { Conversation, FileDialect, Reading } from '../middle/dialect.js'
import { collectTexts, system, textIn } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'
import { conversation, objectsOf } from '../middle/entries.js'

/** The JSONL files of Claude Code, in the order of their lines. Subagents are sessions of their own. */
export const claudeCode: FileDialect = {
  name: 'claude-code',
  title: "Claude Code's JSONL",

  split(file) {
    const lines = objectsOf(file)
    if (lines === null || !lines.some(isMessage) || !lines.every(isEntry)) return null
    const sessions = new Map<string, JsonObject[]>()
    let session = textIn(lines.find(line => typeof line.sessionId === 'string') ?? {}, 'sessionId')
    for (const line of lines) {
      session = textIn(line, 'sessionId') || session
      const agent = line.isSidechain === true ? `${session}:${textIn(line, 'agentId') || 'sidechain'}` : session
      const known = sessions.get(agent)
      if (known === undefined) sessions.set(agent, [line])
      else known.push(line)
    }
    return [...sessions].map(([id, entries]) => splitSession(id, entries))
  },

  read(entry, report): Reading {
    const { type, message } = entry
    const asides: string[] = []
    const time = timeOf(entry.timestamp)
    if ((type !== 'user' && type !== 'assistant') || !isJsonObject(message)) {
      // Summaries, snapshots and notes: what the tool keeps for itself.
      collectTexts(entry, asides)
      report.lose('entries that are no messages')
      return { said: [], asides }
    }
    // The tool keeps results a second time, in its own form.
    collectTexts(entry.toolUseResult, asides)
    const read = readAnthropic({ ...message, role: type }, report)
    const usage = usageOf(message.usage)
    const isNote = entry.isMeta === true || entry.isCompactSummary === true
    return {
      ...read,
      said: isNote ? read.said.map(asNote) : read.said,
      asides: [...(read.asides ?? []), ...asides],
      ...(time === undefined ? {} : { time }),
      ...(usage === undefined ? {} : { usage }),
      ...(typeof message.id === 'string' ? { usageKey: message.id } : {}),
      ...(typeof message.model === 'string' ? { model: message.model } : {}),
    }
  },
}

/** What the tool puts in the user's mouth opens no turn. */
function asNote(said: ReadMessage): ReadMessage {
  return said.role === 'user' ? system(said.content) : said
}

function isMessage({ type, message, uuid, sessionId }: JsonObject): boolean {
  return (
    (type === 'user' || type === 'assistant') &&
    isJsonObject(message) &&
    typeof uuid === 'string' &&
    typeof sessionId === 'string'
  )
}

function isEntry(line: JsonObject): boolean {
  return typeof line.type === 'string' && (isMessage(line) || (line.type !== 'user' && line.type !== 'assistant'))
}

function splitSession(sessionId: string, entries: readonly JsonObject[]): Conversation {
  const [first] = entries
  const times = entries.flatMap(({ timestamp }) => timeOf(timestamp) ?? [])
  const summary = entries.findLast(({ type }) => type === 'summary')
  const title = summary === undefined ? '' : textIn(summary, 'summary')
  const located = entries.find(({ cwd }) => typeof cwd === 'string')
  return conversation(entries, {
    sessionId,
    parentSessionId: first?.isSidechain === true ? textIn(first, 'sessionId') || null : null,
    createdAt: times[0] ?? '',
    updatedAt: times.at(-1) ?? '',
    metadata: {
      ...(title === '' ? {} : { title }),
      ...(located === undefined ? {} : { cwd: located.cwd ?? null }),
    },
  })
}
