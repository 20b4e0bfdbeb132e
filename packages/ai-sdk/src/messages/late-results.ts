import { metadataOfResult, outcomeOfResult, type Result, type StepContent } from './step-parts.js'
import { type Outcome, toolPart, type ToolPart } from './tool-part.js'

/** The result of a call of an earlier step. Its input stands there. */
export interface LateResult {
  readonly part: ToolPart
  readonly outcome: Outcome
}

/** The results that a provider gives in this step, of calls that it has begun before. */
export function lateResults(content: StepContent): LateResult[] {
  const called = new Set(content.flatMap(each => (each.type === 'tool-call' ? [each.toolCallId] : [])))
  return content
    .filter(isResult)
    .filter(({ toolCallId, providerExecuted }) => providerExecuted === true && !called.has(toolCallId))
    .map(result => {
      const { toolCallId, toolName, dynamic } = result
      const part = { ...toolPart(toolCallId, toolName, null, dynamic === true), ...metadataOfResult(result) }
      return { part, outcome: outcomeOfResult(result) }
    })
}

function isResult(each: StepContent[number]): each is Result {
  return each.type === 'tool-result' || each.type === 'tool-error'
}
