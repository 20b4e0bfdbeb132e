import { Agent, type FunctionTool, Handoff, type RunContext, type Tool } from '@openai/agents-core'

/** What has to be known of an agent to record its calls. */
export interface RecordableAgent<Context> {
  readonly name: string
  readonly tools: Tool<Context>[]
  readonly handoffs: readonly unknown[]
  readonly toolUseBehavior: unknown
  readonly inputGuardrails: readonly Guardrail[]
  readonly outputGuardrails: readonly Guardrail[]
  getMcpTools(runContext: RunContext<Context>): Promise<Tool<Context>[]>
  getAllTools(runContext: RunContext<Context>): Promise<Tool<Context>[]>
}

interface Guardrail {
  execute(args: never): Promise<{ tripwireTriggered: boolean }>
}

/** What a run is told of its agents. */
export interface Recorder<Context> {
  tool(tool: FunctionTool<Context>): FunctionTool<Context>
  /** A guardrail ends the run. Awaited before the SDK learns it. */
  refused(what: 'input' | 'output'): Promise<void>
}

/** Of each copy. A recorded agent may be recorded again, as when the last agent of a run begins the next. */
const originals = new WeakMap<object, object>()

/**
 * Agents whose functions record their calls: those of the agent itself, of its MCP servers, and of the agents to which
 * it can hand off. They are copies. The agents that you made stay as they are, and their listeners hear the same events.
 */
export class RecordedAgents<Context> {
  readonly #recorder: Recorder<Context>
  /** By the agent that it is a copy of, as agents can hand off to each other. */
  readonly #recorded = new Map<RecordableAgent<Context>, RecordableAgent<Context>>()

  constructor(recorder: Recorder<Context>) {
    this.#recorder = recorder
  }

  of<A extends RecordableAgent<Context>>(given: A): A {
    const agent = originalOf(given)
    const known = this.#recorded.get(agent)
    if (isCopy(known, agent)) return known
    const record = (tool: Tool<Context>): Tool<Context> => (tool.type === 'function' ? this.#tool(tool) : tool)
    const recorded = copyOf(agent)
    this.#recorded.set(agent, recorded)
    return Object.assign(recorded, {
      tools: agent.tools.map(record),
      handoffs: agent.handoffs.map(each => this.#handoff(each)),
      inputGuardrails: agent.inputGuardrails.map(each => this.#guardrail(each, 'input')),
      outputGuardrails: agent.outputGuardrails.map(each => this.#guardrail(each, 'output')),
      getMcpTools: async (runContext: RunContext<Context>) => (await agent.getMcpTools(runContext)).map(record),
    })
  }

  /** The recorded agent of that name, if it is of the class of `first`. It is `first`, or reached from it by handoffs. */
  named<A extends RecordableAgent<Context>>(name: string, first: A): A | undefined {
    return [...this.#recorded.values()].filter(agent => isCopy(agent, first)).find(agent => agent.name === name)
  }

  /** The agents that were recorded, as they were. */
  originals(): RecordableAgent<Context>[] {
    return [...this.#recorded.keys()]
  }

  #tool(given: FunctionTool<Context>): FunctionTool<Context> {
    const tool = originalOf(given)
    const recorded = this.#recorder.tool(tool)
    originals.set(recorded, tool)
    return recorded
  }

  #guardrail(given: Guardrail, what: 'input' | 'output'): Guardrail {
    const guardrail = originalOf(given)
    const execute = async (args: never): Promise<{ tripwireTriggered: boolean }> => {
      const output = await guardrail.execute(args)
      if (output.tripwireTriggered) await this.#recorder.refused(what)
      return output
    }
    return Object.assign(copyOf(guardrail), { execute })
  }

  #handoff(given: unknown): unknown {
    if (given instanceof Agent) return this.of(given)
    if (!(given instanceof Handoff)) return given
    const handoff = originalOf(given)
    return Object.assign(copyOf(handoff), {
      agent: this.of(handoff.agent),
      onInvokeHandoff: async (...args: Parameters<typeof handoff.onInvokeHandoff>) =>
        this.of(await handoff.onInvokeHandoff(...args)),
    })
  }
}

function copyOf<T extends object>(original: T): T {
  const prototype: unknown = Object.getPrototypeOf(original)
  const copy: unknown = Object.create(
    typeof prototype === 'object' ? prototype : null,
    Object.getOwnPropertyDescriptors(original),
  )
  if (!isCopy(copy, original)) throw new Error('an object that cannot be copied')
  originals.set(copy, original)
  return copy
}

function originalOf<T extends object>(copy: T): T {
  const original = originals.get(copy)
  return isCopy(original, copy) ? original : copy
}

/** Whether an object is of the class of another. */
function isCopy<T extends object>(copy: unknown, original: T): copy is T {
  return typeof copy === 'object' && copy !== null && Object.getPrototypeOf(copy) === Object.getPrototypeOf(original)
}
