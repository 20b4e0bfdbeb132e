import type { JsonObject } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import { readAnthropic } from '../messages/anthropic.js'
import type { Conversation, FileDialect, Reading } from '../middle/dialect.js'
import { collectTexts, textIn, user, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { textPart } from '../middle/parts.js'
import { branchesOf } from './branches.js'
import { conversation, listOf, objectsOf, oneOrMore } from '../middle/entries.js'

/** `conversations.json` of an export of Claude. The other branches of a conversation become forks of it. */
export const claudeExport: FileDialect = {
  name: 'claude-export',
  title: "Claude's conversations.json",

  split(file) {
    const records = oneOrMore(file)
    const isOurs = records?.every(({ chat_messages: messages }) => Array.isArray(messages) && messages.every(isMessage))
    return isOurs === true ? (records ?? []).flatMap(splitRecord) : null
  },

  read(message, report): Reading {
    const time = timeOf(message.created_at)
    const asides: string[] = []
    collectTexts(message.text, asides)
    const role = message.sender === 'assistant' ? 'assistant' : 'user'
    const hasBlocks = Array.isArray(message.content) && message.content.length > 0
    const read = readAnthropic(
      { role, content: hasBlocks ? (message.content ?? null) : textIn(message, 'text') },
      report,
    )
    for (const block of listOf(message.content))
      if (isJsonObject(block)) collectTexts(without(block, ['type', 'text']), asides)
    const files = listOf(message.attachments).flatMap(file =>
      isJsonObject(file) && typeof file.extracted_content === 'string' ? [textPart(file.extracted_content)] : [],
    )
    if (listOf(message.files).length > 0) report.lose('files, which the export only names')
    const first = read.said[0]
    const said =
      files.length === 0
        ? read.said
        : first?.role === 'user' && Array.isArray(first.content)
          ? [user([...first.content, ...files]), ...read.said.slice(1)]
          : [...read.said, user(files)]
    return {
      said,
      thoughts: read.thoughts ?? [],
      asides: [...(read.asides ?? []), ...asides],
      ...(time === undefined ? {} : { time }),
    }
  },
}

function isMessage(message: unknown): boolean {
  return isJsonObject(message) && (message.sender === 'human' || message.sender === 'assistant')
}

function splitRecord(record: JsonObject): Conversation[] {
  const messages = objectsOf(record.chat_messages) ?? []
  const id = textIn(record, 'uuid') || null
  const source = without(record, ['chat_messages', 'name', 'uuid'])
  const title = textIn(record, 'name')
  const known = {
    createdAt: timeOf(record.created_at) ?? '',
    updatedAt: timeOf(record.updated_at) ?? '',
    metadata: { ...(title === '' ? {} : { title }), source },
  }
  // Older exports are lists; in newer ones each message names the one before it.
  const isTree = messages.every(
    message => typeof message.uuid === 'string' && typeof message.parent_message_uuid === 'string',
  )
  if (!isTree) return [conversation(messages, { ...known, sessionId: id })]
  const nodes = messages.map(message => ({
    id: textIn(message, 'uuid'),
    parent: textIn(message, 'parent_message_uuid'),
    value: message,
  }))
  const current = textIn(record, 'current_leaf_message_uuid') || null
  return branchesOf(nodes, current).map(({ leaf, values }, index) =>
    conversation(values, {
      ...known,
      sessionId: index === 0 || id === null ? id : `${id}:${leaf}`,
      parentSessionId: index === 0 ? null : id,
    }),
  )
}
