import {
  Agent,
  type AgentInputItem,
  type CallModelInputFilter,
  type FunctionTool,
  invokeFunctionTool,
  RunContext,
  runToolOutputGuardrails,
} from '@openai/agents-core'
import { isTurnstoreError, type JsonObject, type JsonValue, type ToolCallRecord, TurnstoreError } from '@turnstore/core'
import { canonicalJson, INTERRUPTED_CALL } from '@turnstore/core/adapter'
import type { Operation, SessionLog } from '../history/session-log.js'
import { isFunctionResult, isOwn, notesOf, ownItems } from '../items/format.js'
import { decodeItem, encodeItem } from '../items/item-json.js'
import { type StartedCall, startedCall, startedRecord } from '../items/started-call.js'
import { asStored } from '../items/stored-item.js'
import { approvalPolicy } from './approval-policy.js'
import { functionResult, outputOf } from './function-result.js'
import { type RecordableAgent, RecordedAgents } from './recorded-agents.js'
import { newAmong, WriteAhead } from './write-ahead.js'

export interface RecordRunOptions<Context, RunAgent extends RecordableAgent<Context>> {
  /** The agent that begins. The agents to which it can hand off are recorded as well. */
  agent: RunAgent
  /** Names of tools that may run twice: a call that a crash interrupted runs again. */
  repeatable?: readonly string[]
  /** A filter of your own. What it returns is recorded. */
  callModelInputFilter?: CallModelInputFilter<Context>
  /** The context with which interrupted calls run again: that of the run. */
  context?: Context
}

/** What was settled of a call that a process had begun when it died. */
export interface RecoveredCall {
  readonly callId: string
  readonly toolName: string
  /** It had been answered, or could not be known to be, or ran again. */
  readonly outcome: 'answered' | 'interrupted' | 'repeated'
}

/**
 * A run that survives a crash. What lies between the calls of the model is stored before each of them, and each result
 * of a tool when the tool returns it. A call that was answered does not run again.
 */
export class RecordedRun<Context, RunAgent extends RecordableAgent<Context>> {
  /**
   * The agent to run: yours, with tools that record their calls, those of MCP servers included. If the last turn has no
   * answer yet, it is the agent to which that turn was handed off last.
   */
  agent: RunAgent
  /** The copy of your agent itself, for `RunState.fromString`: a state names the agents that are reached from it. */
  readonly firstAgent: RunAgent
  /** The filter to give to the run. */
  readonly callModelInputFilter: CallModelInputFilter<Context>
  readonly recovered: RecoveredCall[] = []
  /** Whether the last turn has no answer yet: run with `[]` as input to go on, or with the state of an interrupted run. */
  isUnfinished = false
  readonly #log: SessionLog
  readonly #options: RecordRunOptions<Context, RunAgent>
  readonly #agents = new RecordedAgents<Context>({
    tool: tool => this.#recording(tool),
    refused: async what => this.#log.exclusive(async () => this.#refused(what)),
  })
  /** What a guardrail has refused: the run ends. */
  #refusal: 'input' | 'output' | null = null
  /** The name of the agent that called the model last. */
  #active: string
  readonly #ahead = new WriteAhead()
  /** The results of calls of the last turn that were answered before this run, by id: the SDK may ask again. */
  readonly #answered = new Map<string, { readonly call: JsonObject; readonly result: JsonObject }>()
  /** The calls whose results recovery has stored. */
  readonly #settled = new Set<string>()
  /** Whether a tool has begun. */
  #hasCalls = false
  /** The input of the last call of the model: how long it was, and how it ended. */
  #seen = { length: 0, last: '' }

  constructor(log: SessionLog, options: RecordRunOptions<Context, RunAgent>) {
    this.#log = log
    this.#options = options
    const { agent, callModelInputFilter } = options
    this.firstAgent = this.#agents.of(agent)
    this.agent = this.firstAgent
    this.#active = agent.name
    this.callModelInputFilter = async args => {
      const data = callModelInputFilter === undefined ? args.modelData : await callModelInputFilter(args)
      await this.#log.exclusive(async () => {
        if (this.#refusal === 'input') return
        await this.#addInput(data.input)
        await this.#note(args.agent.name)
      })
      return data
    }
  }

  /** Settles the calls that were begun before. */
  async recover(): Promise<void> {
    const tail = await this.#log.exclusive(async () => this.#log.tail(() => true))
    const turn = tail?.turns.at(-1)
    if (turn === undefined) return
    this.isUnfinished = turn.status === 'running'
    if (!isOwn(turn)) return
    this.#takeUp(notesOf(turn).agent)
    const items = ownItems(turn).map(({ value }) => value)
    const started = turn.toolCalls.map(startedCall).filter(each => each !== null)
    const named = new Set(items.filter(({ type }) => type === 'function_call').map(({ callId }) => callId))
    const calls = started.flatMap(({ callId, call }) => (named.has(callId) ? [] : [call]))
    const results: JsonObject[] = []
    for (const each of started) results.push(await this.#settle(each))
    const outcomes = new Map<string, Partial<ToolCallRecord>>()
    for (const { callId, outcome } of this.recovered) {
      if (outcome === 'interrupted') outcomes.set(callId, { status: 'error', error: 'interrupted', result: null })
    }
    await this.#log.exclusive(async () => this.#log.add([...calls, ...results], { calls: outcomes }))
    if (started.length > 0) this.isUnfinished = true
    this.#remember([...items, ...calls, ...results])
  }

  /** Continues with the agent that had taken over. */
  #takeUp(name: JsonValue | undefined): void {
    const agent =
      typeof name === 'string' && this.isUnfinished ? this.#agents.named(name, this.#options.agent) : undefined
    if (agent === undefined) return
    this.agent = agent
    this.#active = agent.name
  }

  async #note(agent: string): Promise<void> {
    if (agent === this.#active) return
    await this.#log.putAgent(this.#active, agent)
    this.#active = agent
  }

  /** @returns the result of a call that was begun */
  async #settle({ callId, call, result }: StartedCall): Promise<JsonObject> {
    const toolName = typeof call.name === 'string' ? call.name : ''
    const repeated = result === undefined ? await this.#repeat(call) : undefined
    const outcome = result === undefined ? (repeated === undefined ? 'interrupted' : 'repeated') : 'answered'
    this.recovered.push({ callId, toolName, outcome })
    this.#settled.add(callId)
    return result ?? repeated ?? functionResult(call, INTERRUPTED_CALL)
  }

  /** The calls of the last turn that have results. */
  #remember(items: readonly JsonObject[]): void {
    const results = new Map(items.filter(isFunctionResult).map(item => [item.callId, item]))
    for (const call of items) {
      const result = results.get(call.callId)
      const { type, callId } = call
      if (type === 'function_call' && typeof callId === 'string' && result !== undefined) {
        this.#answered.set(callId, { call, result })
      }
    }
  }

  /** Whether the SDK has these items from this run. */
  knows(items: readonly JsonObject[]): boolean {
    const added = this.#unsettled(items)
    return added.length < items.length || this.#ahead.countSame(added) > 0
  }

  /** What the SDK adds itself. Items that are there already are not doubled. */
  async addItems(items: readonly JsonObject[], operation: Operation = {}): Promise<void> {
    await this.#add(items, operation)
    if (this.#refusal !== null) await this.#log.endTurn('error')
    else if (this.#mayEndWithResults() && items.at(-1)?.type === 'function_call_result' && this.#log.hasResults) {
      await this.#log.endTurn('success')
    }
  }

  async #add(items: readonly JsonObject[], operation: Operation): Promise<void> {
    const added = this.#unsettled(items)
    const same = this.#ahead.countSame(added)
    if (same === this.#ahead.length || same === added.length) {
      this.#ahead.settle(same)
      await this.#log.add(added.slice(same), { operation })
      return
    }
    this.#ahead.settle(same)
    const others = this.takeAhead()
    await this.#log.edit(
      entries => entries.filter(({ itemId }) => itemId !== null && others.has(itemId)).length === others.size,
      entries => [
        ...entries.filter(({ itemId }) => itemId === null || !others.has(itemId)),
        ...added.slice(same).map(value => ({ value, itemId: null, turn: null })),
      ],
      operation,
    )
  }

  /** The ids of the items that the SDK has not written yet. From now on they are history. */
  takeAhead(): Set<string> {
    return this.#ahead.take()
  }

  /** Forgets an item that the caller has removed. */
  forget(itemId: string | null): void {
    this.#ahead.forget(itemId)
  }

  /** Whether what a tool returned can be the answer. */
  #mayEndWithResults(): boolean {
    return this.#agents
      .originals()
      .some(({ name, toolUseBehavior }) => name === this.#active && toolUseBehavior !== 'run_llm_again')
  }

  /** A question that was refused is taken out again, as the SDK does not store it either, unless a tool has run for it. */
  async #refused(what: 'input' | 'output'): Promise<void> {
    this.#refusal = what
    const ids = what === 'input' && !this.#hasCalls ? this.takeAhead() : new Set<string>()
    if (ids.size === 0) {
      await this.#log.endTurn('error')
      return
    }
    await this.#log.edit(
      entries => entries.filter(({ itemId }) => itemId !== null && ids.has(itemId)).length === ids.size,
      entries => entries.filter(({ itemId }) => itemId === null || !ids.has(itemId)),
    )
  }

  async #addInput(input: readonly AgentInputItem[]): Promise<void> {
    const { length, last } = this.#seen
    const stored = (from: number): JsonObject[] =>
      input.slice(from).map((item, index) => asStored(encodeItem(item, from + index)))
    const end = length === 0 ? undefined : stored(length - 1)[0]
    const isLonger = input.length >= length && end !== undefined && canonicalJson(end) === last
    const added = this.#unsettled(isLonger ? stored(length) : newAmong(stored(0), (await this.#log.history()).items))
    await this.#checkCalls(added)
    this.#ahead.push(await this.#log.add(added))
    const final = input.length === 0 ? undefined : stored(input.length - 1)[0]
    this.#seen = { length: input.length, last: final === undefined ? '' : canonicalJson(final) }
  }

  /** A provider that keeps the history itself gets results without their calls. What this session has is no history then. */
  async #checkCalls(added: readonly JsonObject[]): Promise<void> {
    const idsOf = (items: readonly JsonObject[], type: string): JsonValue[] =>
      items.filter(item => item.type === type).map(({ callId = null }) => callId)
    const hasCalls = (items: readonly JsonObject[]): boolean => {
      const calls = new Set(idsOf(items, 'function_call'))
      return idsOf(added, 'function_call_result').every(callId => calls.has(callId))
    }
    if (hasCalls(added) || hasCalls([...added, ...(await this.#log.history()).items])) return
    throw this.#misused('A recorded run cannot have conversationId or previousResponseId in the options of run()')
  }

  /** Without the calls and results that recovery has stored. */
  #unsettled(items: readonly JsonObject[]): JsonObject[] {
    if (this.#settled.size === 0) return [...items]
    return items.filter(
      ({ type, callId }) =>
        (type !== 'function_call' && type !== 'function_call_result') ||
        typeof callId !== 'string' ||
        !this.#settled.has(callId),
    )
  }

  #recording(tool: FunctionTool<Context>): FunctionTool<Context> {
    const { outputGuardrails = [], customDataExtractor } = tool
    const begun = new Map<string, string | null>()
    const invoke: typeof tool.invoke = async (runContext, input, details) => {
      const toolCall = details?.toolCall
      if (toolCall === undefined) return tool.invoke(runContext, input, details)
      const call = asStored(encodeItem(toolCall, 0))
      const before = this.#answered.get(toolCall.callId)
      if (before !== undefined && isSameCall(before.call, call)) return outputOf(before.result)
      const turnId = await this.#begin(call)
      const output = await tool.invoke(runContext, input, details)
      if (outputGuardrails.length > 0) begun.set(toolCall.callId, turnId)
      else await this.#end(call, functionResult(call, output, hasSchema(tool)), turnId)
      return output
    }
    const recorded = { ...tool, needsApproval: approvalPolicy(tool), invoke }
    if (outputGuardrails.length === 0) return recorded
    // Called when the guardrails have let the result through, or replaced it: only that may be stored.
    const extractor: typeof customDataExtractor = async context => {
      const { toolCall, rawItem } = context
      const turnId = begun.get(toolCall.callId)
      if (begun.delete(toolCall.callId)) {
        await this.#end(asStored(encodeItem(toolCall, 0)), asStored(encodeItem(rawItem, 0)), turnId ?? null)
      }
      return customDataExtractor?.(context)
    }
    return { ...recorded, customDataExtractor: extractor }
  }

  /** @returns the id of the turn; null if a tool of the run has deleted the session meanwhile */
  async #begin(call: JsonObject): Promise<string | null> {
    this.#hasCalls = true
    const turnId = await this.#log.exclusive(async () => this.#log.putCall(startedRecord(call)))
    if (turnId !== null || this.#seen.length > 0) return turnId
    throw this.#misused('A recorded run needs its session and its callModelInputFilter in the options of run()')
  }

  async #end(call: JsonObject, result: JsonObject, turnId: string | null): Promise<void> {
    if (turnId === null) return
    try {
      await this.#log.exclusive(async () => this.#log.putCall(startedRecord(call, result), turnId))
    } catch (error) {
      // The tool, or another one, has deleted the session or the turn.
      if (!isTurnstoreError(error, 'SESSION_NOT_FOUND') && !isTurnstoreError(error, 'TURN_NOT_FOUND')) throw error
    }
  }

  #misused(message: string): TurnstoreError {
    return new TurnstoreError('INVALID_ARGUMENT', message, {
      outcome: 'not-stored',
      sessionId: this.#log.sessionId,
    })
  }

  /** Runs an interrupted call again, if its tool may. */
  async #repeat(call: JsonObject): Promise<JsonObject | undefined> {
    const { repeatable = [], context } = this.#options
    if (typeof call.name !== 'string' || !repeatable.includes(call.name)) return undefined
    const runContext = new RunContext(context)
    const found = await this.#tool(call.name, runContext)
    if (found === undefined) return undefined
    const { tool, agent } = found
    const toolCall = decodeItem(call)
    if (toolCall.type !== 'function_call') return undefined
    const details = { tool, runContext, input: toolCall.arguments, details: { toolCall } }
    let output: unknown = await invokeFunctionTool(details)
    const { outputGuardrails: guardrails = [] } = tool
    if (guardrails.length > 0 && agent instanceof Agent) {
      output = await runToolOutputGuardrails({ guardrails, context: runContext, agent, toolCall, toolOutput: output })
    }
    const result = functionResult(call, output, hasSchema(tool))
    await this.#end(call, result, await this.#begin(call))
    return result
  }

  /** A function of one of the agents, as they have it. */
  async #tool(
    name: string,
    runContext: RunContext<Context>,
  ): Promise<{ tool: FunctionTool<Context>; agent: RecordableAgent<Context> } | undefined> {
    for (const agent of this.#agents.originals()) {
      for (const tool of await agent.getAllTools(runContext)) {
        if (tool.type === 'function' && tool.name === name) return { tool, agent }
      }
    }
    return undefined
  }
}

function hasSchema({ outputSchema }: { readonly outputSchema?: unknown }): boolean {
  return outputSchema !== undefined
}

function isSameCall(one: JsonObject, other: JsonObject): boolean {
  return one.name === other.name && one.arguments === other.arguments
}
