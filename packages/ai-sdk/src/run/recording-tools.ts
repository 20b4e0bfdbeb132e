import type { ToolExecutionOptions, ToolSet } from 'ai'
import { asJson } from '../messages/message.js'
import { errorTextOf } from '../messages/step-parts.js'
import { type Outcome, toolPart, type ToolPart } from '../messages/tool-part.js'

export interface CallRecorder {
  /** Resolves when the store has acknowledged that the call begins. */
  begin(part: ToolPart): Promise<void>
  /** Resolves when the store has acknowledged the outcome. */
  end(part: ToolPart, outcome: Outcome, durationMs: number): Promise<void>
}

/** Tools that record their calls. Those that the SDK does not execute stay as they are. */
export function recordingTools<TOOLS extends ToolSet>(tools: TOOLS, recorder: CallRecorder): TOOLS {
  const recording = Object.entries(tools).flatMap(([name, tool]) => {
    if (typeof tool.execute !== 'function') return []
    const begun = (input: unknown, toolCallId: string): RecordedCall =>
      new RecordedCall(recorder, partOf(name, tool, toolCallId, input))
    return [
      [name, { ...tool, execute: isGenerator(tool.execute) ? streaming(tool, begun) : single(tool, begun) }] as const,
    ]
  })
  return Object.assign({ ...tools }, Object.fromEntries(recording))
}

export type AnyTool = ToolSet[string]
type Options = ToolExecutionOptions<unknown>
type Begin = (input: unknown, toolCallId: string) => RecordedCall

export function partOf(name: string, tool: AnyTool, toolCallId: string, input: unknown): ToolPart {
  const { value = null } = asJson(input, 'the input of a call')
  return toolPart(toolCallId, name, value, tool.type === 'dynamic')
}

/** The output of a tool: of one that streams, the last. */
export async function outputOf(tool: AnyTool, input: unknown, options: Options): Promise<unknown> {
  const output: unknown = await tool.execute?.call(tool, input, options)
  if (!isAsyncIterable(output)) return output
  let last: unknown
  for await (const each of output) last = each
  return last
}

function single(tool: AnyTool, begin: Begin) {
  return async (input: unknown, options: Options): Promise<unknown> => {
    const call = begin(input, options.toolCallId)
    await call.begin()
    return call.recording(async () => outputOf(tool, input, options))
  }
}

/** The SDK asks at once whether a tool streams, so a function has to be a generator to be one here. */
function streaming(tool: AnyTool, begin: Begin) {
  return async function* (input: unknown, options: Options): AsyncGenerator {
    const call = begin(input, options.toolCallId)
    await call.begin()
    const outputs: unknown = tool.execute?.call(tool, input, options)
    const iterator = isAsyncIterable(outputs) ? outputs[Symbol.asyncIterator]() : null
    let last: unknown
    try {
      for (;;) {
        const next = await iterator?.next()
        if (next === undefined || next.done === true) break
        last = next.value
        yield last
      }
    } catch (error) {
      await call.recording(async () => Promise.reject(error))
    } finally {
      await iterator?.return?.()
    }
    await call.recording(async () => last)
  }
}

class RecordedCall {
  readonly #recorder: CallRecorder
  readonly #part: ToolPart
  #since = 0

  constructor(recorder: CallRecorder, part: ToolPart) {
    this.#recorder = recorder
    this.#part = part
  }

  async begin(): Promise<void> {
    await this.#recorder.begin(this.#part)
    this.#since = performance.now()
  }

  /** Records how the work ends, before anyone learns it. */
  async recording(work: () => Promise<unknown>): Promise<unknown> {
    let output: unknown
    let outcome: Outcome
    try {
      output = await work()
      outcome = { output: asJson(output, 'the output of a call').value ?? null }
    } catch (error) {
      await this.#end({ errorText: errorTextOf(error) })
      throw error
    }
    await this.#end(outcome)
    return output
  }

  async #end(outcome: Outcome): Promise<void> {
    await this.#recorder.end(this.#part, outcome, Math.round(performance.now() - this.#since))
  }
}

function isGenerator(execute: object): boolean {
  return Object.prototype.toString.call(execute) === '[object AsyncGeneratorFunction]'
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
