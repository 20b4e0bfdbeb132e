import type { JsonObject, JsonValue } from '@turnstore/core'
import { type ContentPart, isJsonObject } from '@turnstore/core/adapter'
import type { Conversation, FileDialect, Reading, Report } from '../middle/dialect.js'
import { mediaPart, textPart } from '../middle/parts.js'
import { assistant, call, isTextPart, result, system, textIn, user, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { conversation, objectsOf, oneOrMore } from '../middle/entries.js'

/** Logs of Inspect in JSON: each sample is a session. */
export const inspect: FileDialect = {
  name: 'inspect',
  title: "Inspect's log",

  split(file) {
    const logs = oneOrMore(file)
    return logs?.every(log => isJsonObject(log.eval) && Array.isArray(log.samples) && log.samples.every(isSample)) ===
      true
      ? logs.flatMap(splitLog)
      : null
  },

  read(message, report): Reading {
    const { role, error = null } = message
    const thoughts: string[] = []
    const parts = readContent(message.content, thoughts, report)
    const read = { thoughts, ...(typeof message.model === 'string' ? { model: message.model } : {}) }
    if (role === 'user') return { said: [user(parts)], ...read }
    if (role === 'system') return { said: [system(parts)], ...read }
    if (role === 'tool') {
      const [only] = typeof parts === 'string' ? [] : parts
      const value = typeof parts === 'string' ? parts : parts.length === 1 && isTextPart(only) ? only.text : parts
      const failure = isJsonObject(error) ? textIn(error, 'message') : ''
      const id = textIn(message, 'tool_call_id')
      return {
        said: [result({ id, name: textIn(message, 'function'), value: failure || value, isError: failure !== '' })],
        asides: typeof value === 'string' ? [value, failure] : [failure],
        ...read,
      }
    }
    if (role !== 'assistant') {
      report.tell('has an unknown role; kept, but not read')
      return { said: [] }
    }
    const calls = (objectsOf(message.tool_calls) ?? []).map(each =>
      call(textIn(each, 'id'), textIn(each, 'function'), each.arguments),
    )
    return { said: [assistant(calls.length > 0 && parts.length === 0 ? undefined : parts, calls)], ...read }
  },
}

function isSample(sample: unknown): boolean {
  return isJsonObject(sample) && 'id' in sample && Array.isArray(sample.messages)
}

function splitLog(log: JsonObject): Conversation[] {
  const run = isJsonObject(log.eval) ? log.eval : {}
  const id = textIn(run, 'eval_id', 'run_id')
  return (objectsOf(log.samples) ?? []).map(sample => {
    const { epoch = 1 } = sample
    const messages = objectsOf(sample.messages) ?? []
    const left = ['events', 'attachments', 'store', 'timelines'].filter(name => isFilled(sample[name]))
    return conversation(messages, {
      sessionId: id === '' ? null : `${id}:${text(sample.id)}:${text(epoch)}`,
      createdAt: timeOf(sample.started_at) ?? timeOf(run.created) ?? '',
      updatedAt: timeOf(sample.completed_at) ?? '',
      metadata: {
        title: `${textIn(run, 'task')} ${text(sample.id)}`.trim(),
        source: without(sample, ['messages', 'events', 'attachments', 'store', 'timelines']),
      },
      problems: left.map(name => `has ${name} beside the messages; left out`),
    })
  })
}

function isFilled(value: JsonValue | undefined): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

function text(id: JsonValue | undefined): string {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : ''
}

function readContent(
  content: JsonValue | undefined,
  thoughts: string[],
  { tell, lose }: Report,
): string | ContentPart[] {
  if (typeof content === 'string') return content
  return (Array.isArray(content) ? content : []).flatMap((part): ContentPart[] => {
    if (isTextPart(part)) return [textPart(part.text)]
    if (!isJsonObject(part)) {
      tell('has content that is no part; kept, but not read')
      return []
    }
    const { type } = part
    if (type === 'reasoning') {
      thoughts.push(textIn(part, 'reasoning'), textIn(part, 'summary'))
      lose(typeof part.signature === 'string' ? 'signed reasoning' : 'reasoning')
    } else if (type === 'image' || type === 'audio' || type === 'video' || type === 'document') {
      const url = textIn(part, 'image', 'audio', 'video', 'document')
      return [mediaPart({ mediaType: type === 'image' ? 'image' : textIn(part, 'mime_type'), url })]
    } else tell('has a part of an unknown type; kept, but not read')
    return []
  })
}
