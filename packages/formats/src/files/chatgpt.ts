import { parseJsonText } from '../middle/json-text.js'
import type { JsonObject, JsonValue } from '@turnstore/core'
import { type ContentPart, isJsonObject } from '@turnstore/core/adapter'
import { textPart } from '../middle/parts.js'
import type { Conversation, FileDialect, Reading, Report } from '../middle/dialect.js'
import { assistant, call, collectTexts, isTextPart, result, system, textIn, user, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { branchesOf, type Node } from './branches.js'
import { conversation, listOf, oneOrMore } from '../middle/entries.js'

/** `conversations.json` of an export of ChatGPT. The other branches of a conversation become forks of it. */
export const chatGpt: FileDialect = {
  name: 'chatgpt',
  title: "ChatGPT's conversations.json",

  split(file) {
    const records = oneOrMore(file)
    return records?.every(({ mapping }) => isJsonObject(mapping) && Object.values(mapping).every(isNode)) === true
      ? records.flatMap(splitRecord)
      : null
  },

  read(message, report): Reading {
    const time = timeOf(message.create_time)
    const facts = isJsonObject(message.metadata) ? message.metadata : {}
    return {
      ...readMessage(message, report),
      ...(time === undefined ? {} : { time }),
      ...(typeof facts.model_slug === 'string' ? { model: facts.model_slug } : {}),
    }
  },
}

const unreached = 'has a message that is on no branch; left out'

function isNode(node: JsonValue): boolean {
  if (!isJsonObject(node) || !('parent' in node || 'children' in node)) return false
  return node.message === null || isJsonObject(node.message)
}

function splitRecord(record: JsonObject): Conversation[] {
  const { mapping } = record
  const nodes = Object.entries(isJsonObject(mapping) ? mapping : {}).flatMap(([id, node]): Node<JsonObject>[] => {
    if (!isJsonObject(node)) return []
    const { parent, message } = node
    return [{ id, parent: typeof parent === 'string' ? parent : null, value: isJsonObject(message) ? message : null }]
  })
  const current = typeof record.current_node === 'string' ? record.current_node : null
  const id = textIn(record, 'conversation_id', 'id') || null
  const source = without(record, ['mapping', 'title'])
  const known = {
    createdAt: timeOf(record.create_time) ?? '',
    updatedAt: timeOf(record.update_time) ?? '',
    metadata: { ...(typeof record.title === 'string' ? { title: record.title } : {}), source },
  }
  const branches = branchesOf(nodes, current)
  if (branches.length === 0)
    return [conversation([], { ...known, sessionId: id, problems: nodes.map(() => unreached) })]
  const reached = new Set(branches.flatMap(({ values }) => values))
  const lost = nodes.filter(({ value }) => value !== null && !reached.has(value))
  return branches.map(({ leaf, values }, index) =>
    conversation(values, {
      ...known,
      problems: index === 0 ? lost.map(() => unreached) : [],
      sessionId: index === 0 || id === null ? id : `${id}:${leaf}`,
      parentSessionId: index === 0 ? null : id,
    }),
  )
}

function readMessage(message: JsonObject, report: Report): Pick<Reading, 'said' | 'thoughts' | 'asides'> {
  const { author, content } = message
  const role = isJsonObject(author) ? author.role : undefined
  const recipient = textIn(message, 'recipient') || 'all'
  const asides: string[] = []
  collectTexts(message.metadata, asides)
  if (!isJsonObject(content)) {
    report.tell('has content of an unknown shape; kept, but not read')
    return { said: [] }
  }
  if (content.content_type === 'thoughts' || content.content_type === 'reasoning_recap') {
    const thoughts: string[] = []
    collectTexts(content, thoughts)
    report.lose('reasoning')
    return { said: [], thoughts, asides }
  }
  const parts = readParts(content, report, asides)
  const text = parts.flatMap(part => (isTextPart(part) ? [part.text] : [])).join('\n')
  if (role === 'user')
    return { said: [content.content_type === 'user_editable_context' ? system(parts) : user(parts)], asides }
  if (role === 'system') return { said: text === '' ? [] : [system(parts)], asides }
  if (role === 'tool') {
    const name = isJsonObject(author) ? textIn(author, 'name') : ''
    const value = parts.length === 1 && text !== '' ? text : parts.length === 0 ? '' : parts
    return { said: [result({ id: '', name, value })], asides }
  }
  if (role !== 'assistant') {
    report.tell('is of an unknown author; kept, but not read')
    return { said: [] }
  }
  // A message to a tool is a call of it.
  if (recipient !== 'all')
    return { said: [assistant(undefined, [call('', recipient, writtenOf(text))])], asides: [...asides, text] }
  return { said: [assistant(parts)], asides }
}

function writtenOf(text: string): JsonObject {
  const value = parseJsonText(text)
  // Otherwise code, or the words of a search.
  return isJsonObject(value) ? value : { input: text }
}

const textNames = [
  'text',
  'result',
  'summary',
  'model_set_context',
  'user_profile',
  'user_instructions',
  'title',
  'url',
  'domain',
]

function readParts(content: JsonObject, { tell, lose }: Report, asides: string[]): ContentPart[] {
  if (Array.isArray(content.parts)) {
    return listOf(content.parts).flatMap((part): ContentPart[] => {
      if (typeof part === 'string') return part === '' ? [] : [textPart(part)]
      if (!isJsonObject(part)) {
        tell('has a part that is neither text nor an object; kept, but not read')
        return []
      }
      if (typeof part.text === 'string') return [textPart(part.text)]
      collectTexts(part, asides)
      lose('pictures, sounds and files, which the file only refers to')
      return []
    })
  }
  const texts = textNames.flatMap(name => {
    const text = content[name]
    return typeof text === 'string' && text !== '' ? [textPart(text)] : []
  })
  if (texts.length === 0 && Object.values(content).some(value => typeof value === 'object')) {
    tell('has content of an unknown type; kept, but not read')
  }
  return texts
}
