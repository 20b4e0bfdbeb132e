import type {
  AgentInputItem,
  Model,
  ModelRequest,
  ModelResponse,
  StreamEvent,
  StreamEventResponseCompleted,
} from '@openai/agents-core'
import { Usage } from '@openai/agents-core'

type Output = StreamEventResponseCompleted['response']['output']

/** Answers what its function says, and keeps what it was asked. */
export class FakeModel implements Model {
  readonly asked: AgentInputItem[][] = []
  readonly #answer: (input: AgentInputItem[], count: number) => Output

  constructor(answer: (input: AgentInputItem[], count: number) => Output) {
    this.#answer = answer
  }

  #next({ input }: ModelRequest): Output {
    const items: AgentInputItem[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input
    this.asked.push(structuredClone(items))
    return this.#answer(items, this.asked.length)
  }

  async getResponse(request: ModelRequest): Promise<ModelResponse> {
    return { usage: new Usage(), output: this.#next(request) }
  }

  async *getStreamedResponse(request: ModelRequest): AsyncIterable<StreamEvent> {
    const output = this.#next(request)
    yield { type: 'response_started' }
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
    yield { type: 'response_done', response: { id: `r${this.asked.length}`, usage, output } }
  }
}

export const wants = (callId: string, name: string, args: object = {}): Output[number] => ({
  type: 'function_call',
  id: `fc_${callId}`,
  callId,
  name,
  arguments: JSON.stringify(args),
  status: 'completed',
})

export const answers = (text: string): Output[number] => ({
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text }],
})
