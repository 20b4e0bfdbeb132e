import type { FunctionTool } from '@openai/agents-core'
import {
  hasDynamicFunctionToolApprovalPolicy,
  hasInspectableFunctionToolArguments,
  prepareFunctionToolInput,
} from '@openai/agents-core/utils/internal'

/**
 * The approval policy of a tool, for a copy of the tool with another `invoke`. The SDK finds the parser of a tool's input
 * by its `invoke`. Without the parser, a policy would see the arguments as the model wrote them, without defaults and
 * transforms, and could let through what it means to stop.
 */
export function approvalPolicy<Context>(tool: FunctionTool<Context>): FunctionTool<Context>['needsApproval'] {
  // The SDK knows policies that are a constant by their identity.
  if (!hasDynamicFunctionToolApprovalPolicy(tool)) return tool.needsApproval
  return async (runContext, input, callId) => {
    const read = prepareFunctionToolInput(tool, JSON.stringify(input))?.result
    if (read?.success !== true) return tool.needsApproval(runContext, input, callId)
    // As in the SDK: a person decides where a policy has nothing to look into.
    if (!hasInspectableFunctionToolArguments(read.value)) return true
    // The type of the arguments is the tool's own.
    const isNeeded: unknown = await Reflect.apply(tool.needsApproval, tool, [runContext, read.value, callId])
    return Boolean(isNeeded)
  }
}
