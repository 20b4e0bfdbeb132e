import type { ToolSet, UIMessage } from 'ai'
import { TurnstoreError, type TurnRecord, type TurnUpdate } from '@turnstore/core'
import { canonicalJson } from '@turnstore/core/adapter'
import { begunRecord } from '../history/begun-call.js'
import { begunCalls, exchangeOf, ownItems, withOutcomes } from '../history/exchange.js'
import { rewritten } from '../history/plan-save.js'
import { type RunMark, stepId } from '../history/run-mark.js'
import { asJson, FORMAT, given, type Message, type Part, readMessage } from '../messages/message.js'
import { lateResults } from '../messages/late-results.js'
import { type StepContent, stepParts } from '../messages/step-parts.js'
import { callIdOf, isToolPart, type Outcome, withOutcome } from '../messages/tool-part.js'
import type { BegunRun, RecoveredCall } from './begin-run.js'
import { isBroken, ModelCall } from './model-call.js'
import { recordingTools } from './recording-tools.js'
import type { RunLog } from './run-log.js'
import { needOf } from './settle.js'

/** For the options of `streamText`, `generateText` or an agent. */
export interface RunSettings<TOOLS extends ToolSet> {
  /** Your tools. Those that the SDK executes record their calls. */
  readonly tools: TOOLS
  /** Stores what lies between two calls of the model. If you have one of your own, call this in it, and await it. */
  readonly prepareStep: (step: PreparedStep) => Promise<undefined>
  /** Stores what the model said, before its tools run. */
  readonly onLanguageModelCallEnd: (event: {
    readonly content: StepContent
    readonly finishReason: string
  }) => Promise<void>
  /** Notices errors in the stream: some providers report one, and then end as if nothing was. */
  readonly onChunk: (event: { readonly chunk: { readonly type: string } }) => Promise<void>
}

export interface PreparedStep {
  readonly stepNumber: number
  readonly steps: readonly { readonly content: StepContent }[]
}

/** What `onEnd` of a UI message stream gets, or of `generateText` and `streamText`. */
export type EndEvent<MESSAGE extends UIMessage = UIMessage> =
  | {
      readonly responseMessage: MESSAGE
      readonly isAborted: boolean
      readonly isCancelled?: true
      readonly outcome?: { readonly status: string }
      readonly finishReason?: string | undefined
    }
  | { readonly steps: PreparedStep['steps']; readonly finishReason?: string }

/**
 * A run that survives a crash. What lies between two calls of the model is stored before the second, and each output of
 * a tool when the tool returns it. A call that was answered does not run again.
 */
export class RecordedRun<TOOLS extends ToolSet, MESSAGE extends UIMessage> {
  /** The chat so far: for `convertToModelMessages`, and the `originalMessages` of a UI message stream. */
  readonly messages: MESSAGE[]
  readonly settings: RunSettings<TOOLS>
  readonly recovered: readonly RecoveredCall[]
  /** Whether the model has to answer. Not while the chat waits for the user: an approval, or a tool of the browser. */
  readonly isUnfinished: boolean
  /** The id of the message that the run writes: for the UI message stream, so that the browser has it too. */
  readonly generateMessageId = (): string => this.#mark.messageId
  readonly #chatId: string
  readonly #log: RunLog | null
  readonly #mark: RunMark
  readonly #tools: ToolSet
  /** The step that the model answers now. Steps of a second call of the SDK come after those of the first. */
  #step = 0
  #firstStep = 0
  #stored = 0
  /** The newest step as it is stored, and the outcomes of its calls, which are stored beside it. */
  #noted: { readonly step: number; readonly parts: readonly Part[] } | null = null
  readonly #outcomes = new Map<string, Outcome>()
  readonly #callIds = new Set<string>()
  readonly #call = new ModelCall()
  /** The SDK ignores errors of callbacks. The next write tells it. */
  #failure: { readonly error: unknown } | null = null

  constructor(chatId: string, { messages, recovered, log, mark }: BegunRun, tools: TOOLS) {
    this.#chatId = chatId
    this.#log = log
    this.#mark = mark
    this.#tools = tools
    this.messages = given<MESSAGE>(messages)
    this.recovered = recovered
    this.isUnfinished = log !== null
    const recording = recordingTools(tools, {
      begin: async part => this.#put({ putToolCalls: [{ ...begunRecord(part), replace: true }] }),
      end: async (part, outcome, durationMs) => {
        await this.#put({ putToolCalls: [{ ...begunRecord(part, outcome, durationMs), replace: true }] })
        this.#outcomes.set(part.toolCallId, outcome)
      },
    })
    this.settings = {
      tools: recording,
      prepareStep: async step => this.#prepare(step),
      onLanguageModelCallEnd: async ({ content, finishReason }) => {
        this.#call.end(finishReason)
        if (this.#call.isBroken) return
        await this.#noting(async () => this.#begin(content))
      },
      onChunk: async ({ chunk }) => {
        if (chunk.type === 'error') await this.#noting(async () => this.#fail())
      },
    }
  }

  /**
   * Stores the answer, and the run is over. Pass it to `toUIMessageStream` or `createUIMessageStream`; without a UI, to
   * `generateText` or `streamText`. A run that failed stays unfinished: the next one goes on with it.
   */
  readonly onEnd = async (event: EndEvent): Promise<void> => {
    if ('responseMessage' in event) {
      const { responseMessage, isAborted, isCancelled, outcome } = event
      if (outcome?.status === 'failed' || (!isAborted && (isCancelled === true || this.#hasFailed(event)))) return
      await this.#finish(this.#answer(responseMessage), isAborted)
    } else if (!this.#hasFailed(event)) {
      await this.#putSteps(event.steps)
      await this.#finish(null, false)
    }
  }

  /** The SDK also ends a run that failed, with the steps before. */
  #hasFailed({ finishReason }: EndEvent): boolean {
    return this.#call.isOpen || isBroken(finishReason)
  }

  async #prepare({ stepNumber, steps }: PreparedStep): Promise<undefined> {
    this.#known()
    this.#call.begin()
    if (this.#failure !== null) throw this.#failure.error
    if (stepNumber === 0) {
      this.#firstStep += this.#noted === null ? 0 : this.#noted.step + 1
      this.#stored = 0
      this.#noted = null
    }
    this.#step = stepNumber
    await this.#putSteps(steps)
  }

  /** A step whose tools have not begun. */
  async #begin(content: StepContent): Promise<void> {
    const parts = stepParts(content, this.#isDynamic)
    const ids = parts.filter(isToolPart).map(({ toolCallId }) => toolCallId)
    const repeated = ids.filter(id => this.#callIds.has(id))
    for (const id of ids) this.#callIds.add(id)
    if (repeated.length > 0) await this.#settle(repeated)
    await this.#putStep(this.#step, parts, content)
  }

  /** The SDK may tell of an error after the end of the call that it broke off: what was stored of it is no answer. */
  async #fail(): Promise<void> {
    this.#call.fail()
    if (!this.#call.isBroken || this.#noted?.step !== this.#step) return
    await this.#put({ removeItems: [this.#stepId(this.#step)] })
    this.#noted = { step: this.#step, parts: [] }
  }

  /** Frees ids that the model uses again: the outcomes of earlier calls go into the steps that made them. */
  async #settle(callIds: readonly string[]): Promise<void> {
    await this.#known().rewrite(turn => {
      const begun = begunCalls(turn)
      const settled = ownItems(turn).map(item => ({ ...item, format: FORMAT, value: withOutcomes(item.value, begun) }))
      return { putItems: settled, removeToolCalls: callIds.map(callIdOf) }
    })
  }

  async #putSteps(steps: PreparedStep['steps']): Promise<void> {
    for (; this.#stored < steps.length; this.#stored++) {
      const content = steps[this.#stored]?.content ?? []
      const parts = stepParts(content, this.#isDynamic)
      if (!this.#isStored(this.#stored, parts)) await this.#putStep(this.#stored, parts, content)
    }
    this.#outcomes.clear()
  }

  /** Whether a step says nothing that is not stored, as approvals would. */
  #isStored(step: number, parts: readonly Part[]): boolean {
    if (this.#noted?.step !== step) return false
    const known = this.#noted.parts.map(part => {
      const outcome = isToolPart(part) ? this.#outcomes.get(part.toolCallId) : undefined
      return outcome !== undefined && isToolPart(part) ? withOutcome(part, outcome) : part
    })
    return canonicalJson(known) === canonicalJson([...parts])
  }

  async #putStep(step: number, parts: Part[], content: StepContent): Promise<void> {
    const value: Message = { id: this.#mark.messageId, role: 'assistant', parts }
    const putToolCalls = lateResults(content).map(({ part, outcome }) => ({
      ...begunRecord(part, outcome),
      replace: true,
    }))
    await this.#put({ putItems: [{ itemId: this.#stepId(step), format: FORMAT, value }], putToolCalls })
    this.#noted = { step, parts }
  }

  #stepId(step: number): string {
    return stepId(this.#mark.runId ?? '', this.#firstStep + step)
  }

  async #put(update: Omit<TurnUpdate, 'turnId'>): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error
    await this.#known().update(update)
  }

  async #noting(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  readonly #isDynamic = (name: string): boolean | undefined =>
    Object.hasOwn(this.#tools, name) ? this.#tools[name]?.type === 'dynamic' : undefined

  /** The message as the browser has it. */
  #answer(message: UIMessage): Message {
    const { value } = asJson(message, 'the response message')
    const read = readMessage(value, 'the response message')
    return read.id === '' ? { ...read, id: this.#mark.messageId } : read
  }

  async #finish(answer: Message | null, isAborted: boolean): Promise<void> {
    await this.#known().rewrite(turn => {
      const messages = answered(turn, answer, this.#mark.messageId)
      const waits = !isAborted && needOf(messages) === 'user'
      const mark = { ...this.#mark, ...(waits ? { waits } : {}) }
      const status = isAborted ? 'cancelled' : waits ? 'running' : 'success'
      return rewritten(turn, messages, { now: new Date().toISOString(), isLast: true, mark, status })
    })
  }

  #known(): RunLog {
    if (this.#log !== null) return this.#log
    throw new TurnstoreError('INVALID_ARGUMENT', 'The chat has nothing that the model could answer', {
      outcome: 'not-stored',
      sessionId: this.#chatId,
    })
  }
}

/** The messages of a turn with the answer of its run. Outputs that came since stand in it too. */
function answered(turn: TurnRecord, answer: Message | null, messageId: string): readonly Message[] {
  const { messages } = exchangeOf(turn)
  if (answer === null) return messages
  const last = messages.at(-1)
  const before = last?.role === 'assistant' && last.id === messageId ? messages.slice(0, -1) : messages
  return [...before, withOutcomes(answer, begunCalls(turn))]
}
