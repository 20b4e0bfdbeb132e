import { isDeepStrictEqual } from 'node:util'
import { itemOf, sessionOf, toolCallOf, transitionOf, turnOf } from './samples.js'
import type { Step, StepOptions } from './steps.js'

/** A step of a random history as a line of code, without the members that all samples share. */
export function tellStep(step: Step): string {
  if (step.do === 'reopen') return 'reopen()'
  if (step.do === 'query') return `querySessions(${JSON.stringify(step.query)})`
  const options = tellOptions(step.options)
  if (step.do === 'save') return `saveSession(${brief(step.record)}${options})`
  if (step.do === 'change') return `changeSession('${step.id}', ${brief(step.change)}${options})`
  if (step.do === 'read') {
    const { id, range, turnId, parts } = step
    return `readTurns('${id}', ${JSON.stringify(range)}${options}), readParts('${id}', '${turnId}', ${JSON.stringify(parts)}${options})`
  }
  return `deleteSession('${step.id}'${options})`
}

function tellOptions({ revisionOff, ...scope }: StepOptions): string {
  const off = revisionOff === undefined || revisionOff === 0 ? '' : ` ${revisionOff < 0 ? '-' : '+'} 1`
  const members = { ...scope, ...(revisionOff !== undefined && { ifRevision: `its revision${off}` }) }
  return Object.keys(members).length === 0 ? '' : `, ${JSON.stringify(members)}`
}

const defaults = new Map<string, unknown>(
  [sessionOf(''), transitionOf(null), turnOf(''), toolCallOf(''), itemOf('')].flatMap(sample => Object.entries(sample)),
)

function brief(value: object): string {
  return JSON.stringify(value, (name, member: unknown) =>
    defaults.has(name) && isDeepStrictEqual(member, defaults.get(name)) ? undefined : member,
  )
}
