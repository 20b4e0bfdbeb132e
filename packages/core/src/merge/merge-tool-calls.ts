import type { JsonValue } from '../basics/json.js'
import type { ToolCallRecord } from '../records/models.js'
import {
  type Contradict,
  filled,
  furtherOf,
  isBeginningOf,
  isOpen,
  occurrences,
  united,
  unitedExtra,
  unitedObjects,
} from './members.js'
import { shown } from './printable-id.js'

/**
 * Merges the calls of a turn. New calls are appended, whatever their order in the source: layouts refer to calls by
 * position.
 */
export function mergeCalls(
  stored: readonly ToolCallRecord[],
  incoming: readonly ToolCallRecord[],
  contradict: Contradict,
): ToolCallRecord[] {
  const merged = [...stored]
  const places = new Map(occurrences(stored.map(({ callId }) => callId)).map((key, index) => [key, index]))
  const keys = occurrences(incoming.map(({ callId }) => callId))
  for (const [index, call] of incoming.entries()) {
    const place = places.get(keys[index] ?? '')
    const known = place === undefined ? undefined : stored[place]
    if (place === undefined || known === undefined) merged.push(call)
    else merged[place] = mergeCall(known, call, what => contradict(`${what} call ${shown(call.callId)}`))
  }
  return merged
}

function mergeCall(stored: ToolCallRecord, incoming: ToolCallRecord, contradict: Contradict): ToolCallRecord {
  // The model may still be writing a running call.
  const further = <T extends JsonValue>(before: T, after: T): T | undefined =>
    furtherOf({ value: before, isOpen: isOpen(stored) }, { value: after, isOpen: isOpen(incoming) })
  const toolName = further(stored.toolName, incoming.toolName)
  const written = further(stored.arguments, incoming.arguments)
  if (toolName === undefined || written === undefined) {
    contradict(toolName === undefined ? 'the tool of' : 'the arguments of')
    return stored
  }
  return {
    ...stored,
    toolName,
    arguments: written,
    ...mergeOutcome(stored, incoming, contradict),
    sandboxContext: united(stored.sandboxContext, incoming.sandboxContext, () => contradict('the sandbox of')),
    metadata: unitedObjects(stored.metadata, incoming.metadata, () => contradict('the metadata of')),
    ...unitedExtra(stored, incoming, () => contradict('unknown members of')),
  }
}

type Outcome = Pick<ToolCallRecord, 'status' | 'result' | 'error' | 'durationMs'>

/** The outcome of a call is indivisible: two outcomes are never mixed. */
function mergeOutcome(stored: ToolCallRecord, incoming: ToolCallRecord, contradict: Contradict): Outcome {
  if (isOpen(stored) && !isOpen(incoming)) return answerOver(stored, incoming)
  if (!isOpen(stored) && isOpen(incoming)) return outcomeOf(stored)
  if (isOpen(stored)) {
    const hasGrown = isBeginningOf(stored.result, incoming.result)
    return {
      ...answerOver(incoming, stored),
      result: hasGrown ? filled(incoming.result, stored.result) : stored.result,
    }
  }
  if (stored.status !== incoming.status) {
    contradict('the status of')
    return outcomeOf(stored)
  }
  return {
    status: stored.status,
    result: united(stored.result, incoming.result, () => contradict('the result of')),
    error: united(stored.error, incoming.error, () => contradict('the error of')),
    durationMs: filled(stored.durationMs, incoming.durationMs),
  }
}

/** The answer, with its empty members filled from an earlier stage. */
function answerOver(earlier: Outcome, answer: Outcome): Outcome {
  return {
    status: filled(answer.status, earlier.status),
    result: filled(answer.result, earlier.result),
    error: filled(answer.error, earlier.error),
    durationMs: filled(answer.durationMs, earlier.durationMs),
  }
}

function outcomeOf({ status, result, error, durationMs }: Outcome): Outcome {
  return { status, result, error, durationMs }
}
