import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Conversation, FileDialect } from '../middle/dialect.js'
import { conversation, listOf, objectsOf } from '../middle/entries.js'
import { textIn, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { addUsage, type Usage, usageOf } from '../middle/usage.js'
import { Attachments } from './inspect-attachments.js'
import { readInspect } from './inspect-message.js'

/** Logs of Inspect in JSON: each sample, and each epoch of it, is a session. */
export const inspect: FileDialect = {
  name: 'inspect',
  title: "Inspect's log",
  facts: new Set(['metadata', 'internal', 'citations', 'filename', 'view', 'source']),
  read: readInspect,
  unit: 'record',
  belonging: () => isLog,
  split: logs => logs.flatMap(splitLog),
}

/** Logs of runs that failed at once have no samples. */
function isLog({ eval: run, samples = null, status, plan }: JsonObject): boolean {
  if (!isJsonObject(run)) return false
  if (samples === null) return typeof status === 'string' && (plan === undefined || isJsonObject(plan))
  return Array.isArray(samples) && samples.every(isSample)
}

function isSample(sample: unknown): boolean {
  return isJsonObject(sample) && 'id' in sample && Array.isArray(sample.messages)
}

/** What is said of the whole run goes with its first sample, or stands alone. */
function splitLog({ samples, ...log }: JsonObject): Conversation[] {
  const run = isJsonObject(log.eval) ? log.eval : {}
  const [first, ...others] = (objectsOf(samples) ?? []).map(sample => splitSample(sample, run))
  if (first === undefined) {
    return [conversation([], { sessionId: textIn(run, 'eval_id', 'run_id') || null, metadata: { log } })]
  }
  return [{ ...first, metadata: { ...first.metadata, log } }, ...others]
}

/** What repeats the messages, or is not part of the conversation. */
const besides = ['events', 'events_data', 'attachments', 'store', 'timelines']

function splitSample(sample: JsonObject, run: JsonObject): Conversation {
  const { epoch = 1 } = sample
  const id = textIn(run, 'eval_id', 'run_id')
  const attachments = new Attachments(sample.attachments)
  const messages = listOf(sample.messages).map(message => attachments.resolve(message))
  const source = attachments.resolve(without(sample, ['messages', ...besides]))
  const usage = totalUsage(sample.model_usage)
  const left = besides.flatMap(name => {
    const count = name === 'attachments' ? attachments.unused : Attachments.sizeOf(sample[name])
    return count === 0 ? [] : [`has ${name} beside the messages: ${count}; left out`]
  })
  return conversation(messages, {
    sessionId: id === '' ? null : `${id}:${text(sample.id)}:${text(epoch)}`,
    createdAt: timeOf(sample.started_at) ?? timeOf(run.created) ?? '',
    updatedAt: timeOf(sample.completed_at) ?? '',
    metadata: {
      title: `${textIn(run, 'task')} ${text(sample.id)}`.trim(),
      ...(usage === undefined ? {} : { usage: { ...usage } }),
      source,
    },
    problems: left,
  })
}

function totalUsage(models: JsonValue | undefined): Usage | undefined {
  if (!isJsonObject(models)) return undefined
  let sum: Usage | undefined
  for (const each of Object.values(models)) {
    const usage = usageOf(each)
    if (usage !== undefined) sum = addUsage(sum, usage)
  }
  return sum
}

function text(id: JsonValue | undefined): string {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : ''
}
