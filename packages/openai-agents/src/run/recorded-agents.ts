import { Agent, type FunctionTool, Handoff, type RunContext, type Tool } from '@openai/agents-core'

/** What has to be known of an agent to record its calls. */
export interface RecordableAgent<Context> {
  readonly name: string
  readonly tools: Tool<Context>[]
  readonly handoffs: readonly unknown[]
  getMcpTools(runContext: RunContext<Context>): Promise<Tool<Context>[]>
  getAllTools(runContext: RunContext<Context>): Promise<Tool<Context>[]>
}

/**
 * Agents whose functions record their calls: those of the agent itself, of its MCP servers, and of the agents to which
 * it can hand off. They are copies. The agents that you made stay as they are, and their listeners hear the same events.
 */
export class RecordedAgents<Context> {
  readonly #record: (tool: FunctionTool<Context>) => FunctionTool<Context>
  /** By the agent that it is a copy of, as agents can hand off to each other. */
  readonly #recorded = new Map<RecordableAgent<Context>, RecordableAgent<Context>>()

  constructor(record: (tool: FunctionTool<Context>) => FunctionTool<Context>) {
    this.#record = record
  }

  of<A extends RecordableAgent<Context>>(agent: A): A {
    const known = this.#recorded.get(agent)
    if (isCopy(known, agent)) return known
    const record = (tool: Tool<Context>): Tool<Context> => (tool.type === 'function' ? this.#record(tool) : tool)
    const recorded = copyOf(agent)
    this.#recorded.set(agent, recorded)
    return Object.assign(recorded, {
      tools: agent.tools.map(record),
      handoffs: agent.handoffs.map(each => this.#handoff(each)),
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

  #handoff(handoff: unknown): unknown {
    if (handoff instanceof Agent) return this.of(handoff)
    if (!(handoff instanceof Handoff)) return handoff
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
  if (isCopy(copy, original)) return copy
  throw new Error('an object that cannot be copied')
}

/** Whether an object is of the class of another. */
function isCopy<T extends object>(copy: unknown, original: T): copy is T {
  return typeof copy === 'object' && copy !== null && Object.getPrototypeOf(copy) === Object.getPrototypeOf(original)
}
