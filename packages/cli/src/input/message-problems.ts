import type { MessageProblem } from '@turnstore/core'
import { figure } from '../terminal/figure.js'

/** All problems with the same message, ignoring positions in it. */
interface Kind<Problem> {
  readonly first: Problem
  count: number
}

const losses = ['message', 'part', 'none'] as const

/**
 * Describes the problems of a transcript with `total` messages: one sentence per kind, the greatest loss first. `placeOf`
 * names a message.
 */
export function describeProblems<Problem extends MessageProblem>(
  problems: readonly Problem[],
  total: number,
  placeOf: (problem: Problem) => string = ({ index }) => `messages[${index}]`,
): string[] {
  const byText = new Map<string, Kind<Problem>>()
  for (const problem of problems) {
    const text = problem.message.replaceAll(/\[\d+\]/g, '[]')
    const kind = byText.get(text) ?? { first: problem, count: 0 }
    kind.count++
    byText.set(text, kind)
  }
  const kinds = losses.flatMap(loss => [...byText.values()].filter(({ first }) => first.loss === loss))
  const lost = kinds.reduce((sum, { first, count }) => (first.loss === 'message' ? sum + count : sum), 0)
  return kinds.map(({ first, count }, index) => {
    const more = count === 1 ? '' : ` (and ${figure(count - 1)} more like it)`
    if (index > 0 || lost === 0) return `${placeOf(first)} ${first.message}${more}`
    const place = `${placeOf(first)} ${first.message.replace(/; left out$/, '')}${more}`
    if (lost === total) return `${noneOf(total)}; ${place}`
    return `${figure(lost)} of its ${figure(total)} messages ${lost === 1 ? 'is' : 'are'} left out: ${place}`
  })
}

function noneOf(total: number): string {
  return total === 1 ? 'its only message could not be read' : `none of its ${figure(total)} messages could be read`
}
