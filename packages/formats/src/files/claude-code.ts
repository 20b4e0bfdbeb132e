import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, type ReadMessage, textOf } from '@turnstore/core/adapter'
import { readAnthropic } from '../messages/anthropic.js'
import type { Conversation, FileDialect, Reading } from '../middle/dialect.js'
import { conversation } from '../middle/entries.js'
import { collectTexts, system, textIn } from '../middle/say.js'
import { spanOf, timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'
import { writeEntries } from './claude-code-entries.js'

/**
 * The JSONL files of Claude Code, in the order of their lines: a message of the API is a line for each of its blocks.
 * Subagents are sessions of their own.
 */
export const claudeCode: FileDialect = {
  name: 'claude-code',
  title: "Claude Code's JSONL",
  facts: new Set([
    'citations',
    'usage',
    'caller',
    'container',
    'context_management',
    'cwd',
    'gitBranch',
    'version',
    'slug',
    'userType',
    'agentName',
    'teamName',
    // The result of a call as the tool itself has it; the message has what the model got.
    'toolUseResult',
    'mcpMeta',
    'todos',
    'thinkingMetadata',
    'rendered',
    'imagePasteIds',
    'permissionMode',
    'error',
  ]),

  read(entry, report): Reading {
    const { type, message } = entry
    const time = timeOf(entry.timestamp)
    const timed = time === undefined ? {} : { time }
    const queued = queuedPrompt(entry)
    if (queued !== null) {
      const read = readAnthropic({ role: 'user', content: queued.prompt }, report)
      return { ...read, said: queued.isHuman ? read.said : read.said.map(asNote), ...timed }
    }
    if (!isMessage(entry) || !isJsonObject(message)) {
      if (typeof type !== 'string' || !noteTypes.has(type)) {
        report.tell('is an entry of an unknown type; kept, but not read')
        return { said: [], ...timed }
      }
      const asides: string[] = []
      collectTexts(entry, asides)
      report.lose('entries that are no messages')
      return { said: [], asides, ...timed }
    }
    const read = readAnthropic({ ...message, role: type ?? null }, report)
    const usage = usageOf(message.usage)
    const isNote = entry.isMeta === true || entry.isCompactSummary === true
    return {
      ...read,
      ...(read.said.some(isInterruption) ? { isStop: true } : {}),
      said: read.said.map(said => (isNote || isOutput(said) || isInterruption(said) ? asNote(said) : said)),
      ...timed,
      ...(usage === undefined ? {} : { usage }),
      ...(typeof message.id === 'string' ? { usageKey: message.id } : {}),
      // What the tool itself says to the user has a model of this name.
      ...(typeof message.model === 'string' && message.model !== '<synthetic>' ? { model: message.model } : {}),
    }
  },

  write: writeEntries,

  unit: 'line',
  belonging: () => line => isMessage(line) || isNoteEntry(line),
  split: splitLines,
}

/** Entries that are no messages: what the tool keeps for itself. */
const noteTypes = new Set([
  'summary',
  'system',
  'progress',
  'attachment',
  'queue-operation',
  'file-history-snapshot',
  'custom-title',
  'ai-title',
  'agent-name',
  'agent-color',
  'agent-setting',
  'last-prompt',
  'mode',
  'permission-mode',
  'pr-link',
  'tag',
  'task-summary',
  'worktree-state',
  'content-replacement',
  'cost-state',
  'tools-used',
  'atis-latch',
  'relocated',
])

function isMessage({ type, message, uuid, sessionId }: JsonObject): boolean {
  return (
    (type === 'user' || type === 'assistant') &&
    isJsonObject(message) &&
    typeof uuid === 'string' &&
    typeof sessionId === 'string'
  )
}

function isNoteEntry({ type, sessionId, uuid, leafUuid, messageId }: JsonObject): boolean {
  return (
    typeof type === 'string' &&
    noteTypes.has(type) &&
    [sessionId, uuid, leafUuid, messageId].some(id => typeof id === 'string')
  )
}

/** What was queued while the assistant worked: by the user, or by the tool, such as that a task has ended. */
function queuedPrompt({ type, attachment }: JsonObject): { prompt: JsonValue; isHuman: boolean } | null {
  if (type !== 'attachment' || !isJsonObject(attachment) || attachment.type !== 'queued_command') return null
  const { prompt = '', commandMode = 'prompt' } = attachment
  return { prompt, isHuman: commandMode === 'prompt' }
}

/** What the tool puts in the user's mouth opens no turn. */
function asNote(said: ReadMessage): ReadMessage {
  return said.role === 'user' ? system(said.content) : said
}

const outputs =
  /^\s*<(?:local-command-(?:stdout|stderr|caveat)|bash-(?:stdout|stderr)|task-notification|system-reminder)>/

/** Whether the user's message is the output of a command that the user ran in the tool. */
function isOutput(said: ReadMessage): boolean {
  return said.role === 'user' && outputs.test(textOf(said.content) ?? '')
}

/** What the tool notes when the user stops it. */
const interruptions = /^\s*\[Request interrupted by user/

function isInterruption(said: ReadMessage): boolean {
  return said.role === 'user' && interruptions.test(textOf(said.content) ?? '')
}

interface Session {
  readonly id: string | null
  readonly parentId: string | null
  readonly entries: JsonObject[]
}

function splitLines(lines: readonly JsonObject[]): Conversation[] {
  const sessions = new Map<string, Session>()
  const sidechains = new Map<string, string>()
  let current = textIn(lines.find(({ sessionId }) => typeof sessionId === 'string') ?? {}, 'sessionId')
  for (const line of lines) {
    current = textIn(line, 'sessionId') || current
    const agent = line.isSidechain === true ? agentOf(line, sidechains) : ''
    const id = agent === '' ? current : `${current}:${agent}`
    const session = sessions.get(id) ?? { id: id || null, parentId: agent === '' ? null : current, entries: [] }
    sessions.set(id, session)
    session.entries.push(line)
  }
  return [...sessions.values()].map(splitSession)
}

/** The subagent of an entry. Older files do not name it: there an entry without a known parent begins one. */
function agentOf(entry: JsonObject, sidechains: Map<string, string>): string {
  const named = textIn(entry, 'agentId')
  if (named !== '') return named
  const uuid = textIn(entry, 'uuid')
  const agent = sidechains.get(textIn(entry, 'parentUuid')) ?? (uuid || 'sidechain')
  sidechains.set(uuid, agent)
  return agent
}

function splitSession({ id, parentId, entries }: Session): Conversation {
  const title = titleOf(entries)
  const located = entries.find(({ cwd }) => typeof cwd === 'string')
  return conversation(entries, {
    sessionId: id,
    parentSessionId: parentId,
    ...spanOf(entries),
    metadata: {
      ...(title === '' ? {} : { title }),
      ...(located === undefined ? {} : { cwd: located.cwd ?? null }),
    },
  })
}

/** A summary may be that of another session, whose message it names. */
function titleOf(entries: readonly JsonObject[]): string {
  const custom =
    entries.findLast(({ type }) => type === 'custom-title') ?? entries.findLast(({ type }) => type === 'ai-title')
  if (custom !== undefined) return textIn(custom, 'customTitle', 'aiTitle', 'title')
  const ids = new Set(entries.map(({ uuid }) => uuid))
  const summary = entries.findLast(({ type, leafUuid }) => type === 'summary' && ids.has(leafUuid))
  return summary === undefined ? '' : textIn(summary, 'summary')
}
