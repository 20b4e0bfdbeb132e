import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import { readContent } from '../messages/gemini.js'
import type { FileDialect, Reading, Report } from '../middle/dialect.js'
import { assistant, call, collectTexts, result, textIn, user, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'
import { conversation, listOf, objectsOf, oneOrMore } from '../middle/entries.js'

/** Sessions of Gemini CLI: `{ sessionId, projectHash, messages }`, one or a list, or a line of facts and then messages. */
export const geminiCli: FileDialect = {
  name: 'gemini-cli',
  title: "Gemini CLI's session",

  split(file) {
    const records = oneOrMore(file)
    if (records === null) return null
    if (records.every(isSession)) return records.map(record => session(record, objectsOf(record.messages) ?? []))
    const [first, ...lines] = records
    return first !== undefined &&
      isHead(first) &&
      lines.length > 0 &&
      lines.every(line => isMessage(line) || '$set' in line)
      ? [session(first, lines)]
      : null
  },

  read(message, report): Reading {
    const asides: string[] = []
    const time = timeOf(message.timestamp)
    const usage = usageOf(message.tokens)
    const thoughts: string[] = []
    for (const thought of listOf(message.thoughts)) collectTexts(thought, thoughts)
    if (thoughts.length > 0) report.lose('reasoning')
    collectTexts(message.displayContent, asides)
    return {
      said: readMessage(message, report, asides),
      thoughts,
      asides,
      ...(time === undefined ? {} : { time }),
      ...(usage === undefined ? {} : { usage }),
      ...(typeof message.model === 'string' ? { model: message.model } : {}),
    }
  },
}

function readMessage(message: JsonObject, report: Report, asides: string[]): readonly ReadMessage[] {
  const { type } = message
  if (type !== 'user' && type !== 'gemini') {
    collectTexts(message, asides)
    report.lose('notes of the tool')
    return []
  }
  const content = message.content ?? ''
  const calls = listOf(message.toolCalls)
  const said = [...readText(content, type === 'gemini' ? 'model' : 'user', report)]
  for (const each of calls) {
    if (!isJsonObject(each)) continue
    const id = textIn(each, 'id')
    const name = textIn(each, 'name')
    said.push(assistant(undefined, [call(id, name, each.args)]))
    collectTexts(without(each, ['args']), asides)
    const answer = resultOf(each)
    if (answer !== undefined) said.push(result({ id, name, value: answer, isError: each.status === 'error' }))
  }
  return said
}

function readText(content: JsonValue, role: 'model' | 'user', report: Report): readonly ReadMessage[] {
  if (typeof content === 'string') {
    if (role === 'user') return [user(content)]
    return content === '' ? [] : [assistant(content)]
  }
  const parts = isJsonObject(content)
    ? [content]
    : listOf(content).map(part => (typeof part === 'string' ? { text: part } : part))
  return readContent(parts, role, report).said
}

/** The response of a call, which the file has as the parts that went to the model. */
function resultOf({ result: given = null }: JsonObject): JsonValue | undefined {
  if (given === null) return undefined
  const [only] = listOf(given)
  const response =
    isJsonObject(only) && isJsonObject(only.functionResponse) ? only.functionResponse.response : undefined
  if (!isJsonObject(response)) return given
  return Object.keys(response).length === 1 ? (response.output ?? response.error ?? response) : response
}

function isHead(record: JsonObject): boolean {
  return typeof record.sessionId === 'string' && typeof record.projectHash === 'string'
}

function isSession(record: JsonObject): boolean {
  return isHead(record) && Array.isArray(record.messages) && record.messages.every(isMessage)
}

function isMessage(message: unknown): boolean {
  return isJsonObject(message) && typeof message.type === 'string' && 'content' in message && !('role' in message)
}

function session(record: JsonObject, messages: readonly JsonObject[]): ReturnType<typeof conversation> {
  const summary = textIn(record, 'summary')
  return conversation(messages, {
    sessionId: textIn(record, 'sessionId'),
    createdAt: timeOf(record.startTime) ?? '',
    updatedAt: timeOf(record.lastUpdated) ?? '',
    metadata: { ...(summary === '' ? {} : { title: summary }), source: without(record, ['messages']) },
  })
}
