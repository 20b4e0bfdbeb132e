import { show } from '../checks/expect.js'
import type { State } from './reference-model.js'
import type { Operation, Outcome } from './operations.js'
import type { Call } from './single-order.js'

/** A short description of a call and its outcome. */
export function tellCall({ who, operation, outcome }: Call): string {
  return `${who}: ${tellOperation(operation)} ${tellOutcome(outcome)}`
}

/** A short description of a call. */
export function tellOperation(operation: Operation): string {
  const { method, options = {} } = operation
  const condition = Object.entries(options).map(([name, value]) => `, ${name}: ${show(value)}`)
  return `${method}(${wordsOfArgument(operation)}${condition.join('')})`
}

function wordsOfArgument(operation: Operation): string {
  if (operation.method === 'readTurns') return show(operation.range)
  if (operation.method === 'readParts') return `${operation.turnId}, ${show(operation.range)}`
  if (operation.method === 'saveSession') {
    return `turns [${idsOf(operation.record.turns)}], metadata ${show(operation.record.metadata)}`
  }
  if (operation.method !== 'changeSession') return ''
  const { keepTurns, updateTurns, appendTurns, appendAgentTransitions, setMetadata, unsetMetadata, agentId } =
    operation.change
  const parts = [
    keepTurns !== undefined && `keep ${keepTurns} turns`,
    updateTurns?.map(({ turnId, ...members }) => `update ${turnId}: ${show(members)}`),
    appendTurns !== undefined && `append [${idsOf(appendTurns)}]`,
    appendAgentTransitions !== undefined && `${appendAgentTransitions.length} transitions`,
    setMetadata !== undefined && `set ${show(setMetadata)}`,
    unsetMetadata !== undefined && `unset [${unsetMetadata.join(', ')}]`,
    agentId !== undefined && `agent ${show(agentId)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

export function tellOutcome(outcome: Outcome): string {
  if (outcome.kind === 'unknown') return 'had no answer: it may have happened or not'
  if (outcome.kind === 'gave') return `gave ${tell(outcome.value)}`
  return `failed with ${outcome.code}${outcome.actualRevision === undefined ? '' : ` at ${outcome.actualRevision}`}`
}

export function tellState(state: State): string {
  if (state === null) return 'not there'
  const keys = state.remembered.map(({ key }) => key)
  return `${tell(state.session)}${keys.length === 0 ? '' : `, remembering [${keys.slice(-12).join(', ')}]`}`
}

/** Shows a record by its revision, turns and metadata, and other values in full. */
function tell(value: unknown): string {
  if (value === null) return 'nothing'
  if (typeof value !== 'object' || !('revision' in value)) return show(value)
  const turns = 'turns' in value && Array.isArray(value.turns) ? `, turns [${idsOf(value.turns)}]` : ''
  const count = turns === '' && 'turnCount' in value ? `, ${String(value.turnCount)} turns` : ''
  const again =
    'deduplicated' in value && Array.isArray(value.deduplicated) && value.deduplicated.length > 0
      ? `, deduplicated ${show(value.deduplicated)}`
      : ''
  const flags = ['created', 'replayed'].filter(name => name in value).map(name => `, ${name}`)
  const skipped = 'skipped' in value ? `, skipped ${show(value.skipped)}` : ''
  const metadata = 'metadata' in value ? `, metadata ${show(value.metadata)}` : ''
  return `revision ${String(value.revision)}${turns}${count}${again}${skipped}${flags.join('')}${metadata}`
}

/** The last of many ids. Tool calls follow their turn. */
function idsOf(turns: readonly unknown[]): string {
  const ids = turns.map(turn => {
    if (typeof turn !== 'object' || turn === null || !('turnId' in turn)) return '?'
    const counts = (['toolCalls', 'items'] as const).flatMap(list => {
      const parts: unknown = Reflect.get(turn, list)
      if (!Array.isArray(parts) || parts.length === 0) return []
      return [`${parts.length} ${list === 'items' ? 'items' : 'tool calls'}`]
    })
    return counts.length === 0 ? String(turn.turnId) : `${String(turn.turnId)} with ${counts.join(' and ')}`
  })
  return ids.length > 12 ? `${ids.length - 12} others, ${ids.slice(-12).join(', ')}` : ids.join(', ')
}
