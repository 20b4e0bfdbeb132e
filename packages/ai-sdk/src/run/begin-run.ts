import { align, asItIs, isSame, openingOf, type Wanted } from '../history/align.js'
import type { ChatLog, StoredChat } from '../history/chat-log.js'
import { begunCalls, type Exchange, exchangeOf, isAhead, isOwn } from '../history/exchange.js'
import { planSave, rewritten } from '../history/plan-save.js'
import { isUnderWay, markOf, type RunMark } from '../history/run-mark.js'
import type { Message } from '../messages/message.js'
import { isToolPart, toolNameOf, type ToolPart } from '../messages/tool-part.js'
import { isRepeatable, repeat, type RunTools } from './repeat.js'
import { RunLog } from './run-log.js'
import { interrupted, interruptedCalls, lastStepOf, needOf, settled } from './settle.js'

/** What was settled of a call that a process had begun when it died. */
export interface RecoveredCall {
  readonly toolCallId: string
  readonly toolName: string
  /** It had been answered, or could not be known to be, or ran again. */
  readonly outcome: 'answered' | 'interrupted' | 'repeated'
}

export interface RunInput extends RunTools {
  /** The whole list. Null: what is stored. */
  readonly messages: readonly Message[] | null
  /** The last message, after what is stored. */
  readonly message: Message | null
}

export interface BegunRun {
  readonly messages: readonly Message[]
  readonly recovered: readonly RecoveredCall[]
  /** Null if the model has nothing to answer. */
  readonly log: RunLog | null
  readonly mark: RunMark
}

/** Stores what is to be answered, settles what a process that died has left, and takes the last turn over. */
export async function beginRun(chat: ChatLog, input: RunInput): Promise<BegunRun> {
  const { begun, repeated, earlier } = await chat.retry(async () => claim(chat, input))
  const { log, mark } = begun
  if (log === null || repeated.length === 0) return begun
  for (const part of repeated) await repeat(part, input, log)
  const options = { now: new Date().toISOString(), isLast: true, mark }
  await log.rewrite(turn => rewritten(turn, exchangeOf(turn).messages, options))
  const { turn } = await log.read()
  return { ...begun, messages: [...earlier, ...exchangeOf(turn).messages] }
}

interface Claim {
  readonly begun: BegunRun
  /** Calls that have to run again. */
  readonly repeated: readonly ToolPart[]
  readonly earlier: readonly Message[]
}

async function claim(chat: ChatLog, input: RunInput): Promise<Claim> {
  const stored = await chat.read()
  const wanted = wantedOf(stored?.exchanges ?? [], input)
  const last = wanted.pop()
  const isGiven = input.messages !== null || input.message !== null
  const earlier = wanted.map(each => settled(each, interrupted(interruptedCalls(each, input.tools, false))))
  const isOver = last === undefined || (!isGiven && last.before?.turn.status !== 'running')
  const open = isOver ? [] : interruptedCalls(last, input.tools, true)
  const repeated = open.filter(part => isRepeatable(part, input))
  const ending = last === undefined ? [] : [settled(last, interrupted(open.filter(part => !repeated.includes(part))))]
  const messages = ending.flatMap(each => each.messages)
  const isRunnable = !isOver && (repeated.length > 0 || needOf(messages) === 'model')
  const mark = { runId: crypto.randomUUID(), messageId: messageIdFor(messages, last) }
  const options = isRunnable ? { mark } : {}
  const whole = ending.map(each => (repeated.length === 0 && !isOver ? takenOver(each, isRunnable) : each))
  const { revision, turnId } = await save(chat, stored, [...earlier, ...whole], options)
  const before = earlier.flatMap(each => each.messages)
  const begun: BegunRun = {
    messages: [...before, ...messages],
    recovered: last === undefined ? [] : recoveredOf(last, open, repeated),
    log: isRunnable ? new RunLog(chat, turnId, mark.runId, revision) : null,
    mark,
  }
  return { begun, repeated, earlier: before }
}

/** The id of the message that the run writes: it goes on with the last one, or with what a browser has of it, or begins one. */
function messageIdFor(messages: readonly Message[], ending: Wanted | undefined): string {
  const last = messages.at(-1)
  if (last?.role === 'assistant') return last.id
  const turn = ending?.before?.turn
  const died = turn !== undefined && isUnderWay(turn) ? markOf(turn) : null
  return died?.messageId ?? crypto.randomUUID()
}

/** Steps of a run that died become a message, and a turn of others becomes this SDK's. */
function takenOver(wanted: Wanted, isRunnable: boolean): Wanted {
  const turn = wanted.before?.turn
  if (turn === undefined || !(isAhead(turn) || (isRunnable && !isOwn(turn)))) return wanted
  return { ...wanted, messages: [...wanted.messages] }
}

/** What a run that is under way, or has died, has stored is more than the caller knows. */
function wantedOf(stored: readonly Exchange[], { messages, message }: RunInput): Wanted[] {
  const given = message === null ? messages : withLast(stored, message)
  if (given === null) return stored.map(asItIs)
  const last = stored.at(-1)
  const asked = given.findLast(({ role }) => role === 'user')
  const isKnown = last !== undefined && asked !== undefined && isSame(asked, openingOf(last.messages))
  return isKnown && isUnderWay(last.turn) ? stored.map(asItIs) : align(stored, given)
}

/** A message with the id of a stored one replaces it, and what came after it. */
function withLast(stored: readonly Exchange[], message: Message): Message[] {
  const all = stored.flatMap(each => each.messages)
  const place = all.findIndex(({ id }) => id === message.id)
  if (place !== -1) return [...all.slice(0, place), message]
  return [...(isLastOfBrowser(all, message) ? all.slice(0, -1) : all), message]
}

/** Whether the browser has given the last message an id of its own: a call is in one message only. */
function isLastOfBrowser(stored: readonly Message[], message: Message): boolean {
  const last = stored.at(-1)
  if (message.role !== 'assistant' || last?.role !== 'assistant') return false
  const callIds = new Set(callIdsOf(last))
  return callIdsOf(message).some(callId => callIds.has(callId))
}

function callIdsOf({ parts }: Message): string[] {
  return parts.filter(isToolPart).map(({ toolCallId }) => toolCallId)
}

/** Stores the turns that are wanted, in one change. */
export async function save(
  chat: ChatLog,
  stored: StoredChat | null,
  wanted: readonly Wanted[],
  options: { readonly mark?: RunMark } = {},
): Promise<{ revision: number; turnId: string }> {
  const { agentId } = chat.place
  const now = new Date().toISOString()
  const plan = planSave(stored?.exchanges.length ?? 0, wanted, { now, agentId, ...options })
  const turnId = plan.lastTurnId ?? ''
  if (plan.isEmpty) return { revision: stored?.revision ?? 0, turnId }
  return { revision: await chat.change(plan.change, stored?.revision ?? null), turnId }
}

/** The calls of the step that the model had begun last. Those before it had all been answered. */
function recoveredOf({ before }: Wanted, open: readonly ToolPart[], repeated: readonly ToolPart[]): RecoveredCall[] {
  if (before === null || !isUnderWay(before.turn)) return []
  const begun = begunCalls(before.turn)
  const answered = lastStepOf(before.messages)
    .filter(isToolPart)
    .filter(({ toolCallId }) => begun.get(toolCallId)?.isAnswered === true)
  return [
    ...answered.map(part => recovered(part, 'answered')),
    ...open.map(part => recovered(part, repeated.includes(part) ? 'repeated' : 'interrupted')),
  ]
}

function recovered(part: ToolPart, outcome: RecoveredCall['outcome']): RecoveredCall {
  return { toolCallId: part.toolCallId, toolName: toolNameOf(part), outcome }
}
