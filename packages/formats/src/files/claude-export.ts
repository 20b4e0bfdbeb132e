import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import { readAnthropic } from '../messages/anthropic.js'
import type { Conversation, FileDialect, Reading } from '../middle/dialect.js'
import { conversation, listOf, objectsOf } from '../middle/entries.js'
import { textPart } from '../middle/parts.js'
import { collectTexts, isTextPart, takeText, textIn, user, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { branchesOf, branchIds } from './branches.js'

/** `conversations.json` of an export of Claude. The other branches of a conversation become forks of it. */
export const claudeExport: FileDialect = {
  name: 'claude-export',
  title: "Claude's conversations.json",
  facts: new Set([
    'file_name',
    'citations',
    'message',
    'display_content',
    'integration_name',
    'integration_icon_url',
    'icon_name',
    'approval_options',
    'structured_content',
    'context',
    'meta',
    'flag',
    'helpline',
  ]),

  read(message, report): Reading {
    const time = timeOf(message.created_at)
    const role = message.sender === 'assistant' ? 'assistant' : 'user'
    const blocks = listOf(message.content)
    const text = textIn(message, 'text')
    const content = blocks.length > 0 ? blocks.filter(block => !isNote(block)) : text
    const read = readAnthropic({ role, content }, report)
    const summaries: string[] = []
    for (const block of blocks) if (isJsonObject(block)) collectTexts(block.summaries, summaries)
    if (listOf(message.files).length > 0) report.lose('files, which the export only names')
    return {
      said: withAttachments(read.said, message),
      thoughts: [...(read.thoughts ?? []), ...summaries],
      asides: [...(read.asides ?? []), ...(isCopy(text, blocks) ? [text] : [])],
      ...(time === undefined ? {} : { time }),
    }
  },

  unit: 'record',
  belonging: () => isRecord,
  split: records => records.flatMap(splitRecord),
}

function isRecord({ chat_messages: messages }: JsonObject): boolean {
  return Array.isArray(messages) && messages.every(isMessage)
}

function isMessage(message: unknown): boolean {
  return isJsonObject(message) && (message.sender === 'human' || message.sender === 'assistant')
}

/** Blocks that the tool keeps for itself. */
function isNote(block: JsonValue): boolean {
  return isJsonObject(block) && (block.type === 'token_budget' || block.type === 'flag')
}

const NOT_SUPPORTED = 'This block is not supported on your current device yet.'

/** Whether the text beside the blocks is that of the blocks, with a notice in the place of the others. */
function isCopy(text: string, blocks: readonly JsonValue[]): boolean {
  let rest = text
  for (const block of blocks) if (isTextPart(block)) rest = rest.replace(block.text.trim(), () => '')
  return /^[\s`]*$/.test(rest.replaceAll(NOT_SUPPORTED, ''))
}

/** The text of attached files belongs to the prompt. */
function withAttachments(said: readonly ReadMessage[], message: JsonObject): readonly ReadMessage[] {
  const files = listOf(message.attachments).flatMap(file =>
    isJsonObject(file) && typeof file.extracted_content === 'string' ? [textPart(file.extracted_content)] : [],
  )
  if (files.length === 0) return said
  const [first, ...others] = said
  return first?.role === 'user' && Array.isArray(first.content)
    ? [user([...first.content, ...files]), ...others]
    : [...said, user(files)]
}

function splitRecord(record: JsonObject): Conversation[] {
  const messages = objectsOf(record.chat_messages) ?? []
  const id = textIn(record, 'uuid') || null
  const { text: title, others: source } = takeText(without(record, ['chat_messages']), 'name')
  const metadata = { ...(title === '' ? {} : { title }), source }
  const known = { createdAt: timeOf(record.created_at) ?? '', updatedAt: timeOf(record.updated_at) ?? '' }
  // Older exports are lists; in newer ones each message names the one before it.
  const ids = new Set(messages.map(message => textIn(message, 'uuid')))
  const isTree =
    messages.length > 0 &&
    ids.size === messages.length &&
    messages.every(message => typeof message.parent_message_uuid === 'string')
  if (!isTree) return [conversation(messages, { ...known, metadata, sessionId: id })]
  const nodes = messages.map(message => ({
    id: textIn(message, 'uuid'),
    parent: textIn(message, 'parent_message_uuid'),
    value: message,
  }))
  const branches = branchesOf(nodes, textIn(record, 'current_leaf_message_uuid') || (nodes.at(-1)?.id ?? null))
  const reached = new Set(branches.flatMap(({ values }) => values))
  const problems = messages.flatMap(message =>
    reached.has(message) ? [] : ['has a message that is on no branch; left out'],
  )
  if (branches.length === 0) return [conversation([], { ...known, metadata, sessionId: id, problems })]
  return branches.map((branch, index) =>
    conversation(branch.values, {
      ...known,
      ...branchIds(id, branch, branches[0]),
      metadata: branches.length > 1 && branch.isCurrent ? { ...metadata, current: true } : metadata,
      problems: index === 0 ? problems : [],
    }),
  )
}
