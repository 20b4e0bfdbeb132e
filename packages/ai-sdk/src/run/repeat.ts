import type { ToolSet } from 'ai'
import { begunRecord } from '../history/begun-call.js'
import { asJson } from '../messages/message.js'
import { errorTextOf } from '../messages/step-parts.js'
import { type Outcome, toolNameOf, type ToolPart } from '../messages/tool-part.js'
import { outputOf } from './recording-tools.js'
import type { RunLog } from './run-log.js'

/** The tools of a run. */
export interface RunTools {
  readonly tools: ToolSet
  /** Those that may run twice. */
  readonly repeatable: ReadonlySet<string>
  readonly toolsContext: Readonly<Record<string, unknown>>
}

export function isRepeatable(part: ToolPart, { tools, repeatable }: RunTools): boolean {
  const name = toolNameOf(part)
  return repeatable.has(name) && Object.hasOwn(tools, name) && tools[name]?.execute !== undefined
}

/** Runs an interrupted call again, and records its outcome. */
export async function repeat(part: ToolPart, { tools, toolsContext }: RunTools, log: RunLog): Promise<void> {
  const name = toolNameOf(part)
  const tool = tools[name]
  if (tool === undefined) return
  const options = { toolCallId: part.toolCallId, messages: [], context: toolsContext[name] }
  let outcome: Outcome
  try {
    const output = await outputOf(tool, part.input, options)
    outcome = { output: asJson(output, 'the output of a call').value ?? null }
  } catch (error) {
    outcome = { errorText: errorTextOf(error) }
  }
  await log.update({ putToolCalls: [{ ...begunRecord(part, outcome), replace: true }] })
}
