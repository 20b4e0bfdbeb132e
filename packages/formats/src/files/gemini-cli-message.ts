import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject, type ReadMessage } from '@turnstore/core/adapter'
import { readContent } from '../messages/gemini.js'
import type { Read, Reading, Report } from '../middle/dialect.js'
import { listOf } from '../middle/entries.js'
import { assistant, call, collectTexts, result, textIn, user } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { usageOf } from '../middle/usage.js'

/** Reads a message of a session of Gemini CLI. */
export const readGeminiCli: Read = (message, report): Reading => {
  const time = timeOf(message.timestamp)
  const usage = usageOf(message.tokens)
  const thoughts: string[] = []
  for (const thought of listOf(message.thoughts)) collectTexts(thought, thoughts)
  if (thoughts.length > 0) report.lose('reasoning')
  const read = readMessage(message, report)
  return {
    ...read,
    thoughts: [...thoughts, ...(read.thoughts ?? [])],
    ...(time === undefined ? {} : { time }),
    ...(usage === undefined ? {} : { usage }),
    ...(typeof message.model === 'string' ? { model: message.model } : {}),
  }
}

const noteTypes = new Set(['info', 'warning', 'error'])

function readMessage(message: JsonObject, report: Report): Reading {
  const { type, content = '' } = message
  if (type === 'user') return readText(content, 'user', report)
  if (type !== 'gemini') {
    if (typeof type !== 'string' || !noteTypes.has(type)) {
      report.tell('is of an unknown type; kept, but not read')
      return { said: [] }
    }
    const asides: string[] = []
    collectTexts(content, asides)
    report.lose('notes of the tool')
    return { said: [], asides }
  }
  const { said, thoughts = [] } = readText(content, 'model', report)
  const calls = listOf(message.toolCalls)
  if (calls.some(each => !isJsonObject(each))) report.tell('has a tool call that is no object; kept, but not read')
  return { said: [...said, ...calls.flatMap(each => (isJsonObject(each) ? readCall(each) : []))], thoughts }
}

function readText(content: JsonValue, role: 'model' | 'user', report: Report): Reading {
  if (typeof content === 'string') {
    if (role === 'user') return { said: [user(content)] }
    return { said: content === '' ? [] : [assistant(content)] }
  }
  const parts = isJsonObject(content)
    ? [content]
    : listOf(content).map(part => (typeof part === 'string' ? { text: part } : part))
  return readContent(parts, role, report)
}

function readCall(each: JsonObject): ReadMessage[] {
  const id = textIn(each, 'id')
  const name = textIn(each, 'name')
  const made = assistant(undefined, [call(id, name, each.args)])
  const answer = answerOf(each)
  if (answer === undefined) return [made]
  return [made, result({ id, name, value: answer, isError: each.status === 'error' || each.status === 'cancelled' })]
}

/** What the model got, which the file has as parts; else what the tool showed. */
function answerOf({ result: given = null, resultDisplay: shown = null }: JsonObject): JsonValue | undefined {
  if (given === null) return shown ?? undefined
  const [only, ...others] = listOf(given)
  const response =
    isJsonObject(only) && isJsonObject(only.functionResponse) ? only.functionResponse.response : undefined
  if (!isJsonObject(response) || others.length > 0) return given
  return Object.keys(response).length === 1 ? (response.output ?? response.error ?? response) : response
}
