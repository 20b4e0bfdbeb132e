import type { MessageProblem } from '@turnstore/core'

/** All problems with the same message, ignoring positions in it. */
interface Kind {
  readonly first: MessageProblem
  count: number
}

const losses = ['message', 'part', 'none'] as const

/** Describes the problems of a transcript with `total` messages: one sentence per kind, the greatest loss first. */
export function describeProblems(problems: readonly MessageProblem[], total: number): string[] {
  const byText = new Map<string, Kind>()
  for (const problem of problems) {
    const text = problem.message.replaceAll(/\[\d+\]/g, '[]')
    const kind = byText.get(text) ?? { first: problem, count: 0 }
    kind.count++
    byText.set(text, kind)
  }
  const kinds = losses.flatMap(loss => [...byText.values()].filter(({ first }) => first.loss === loss))
  const lost = kinds.reduce((sum, { first, count }) => (first.loss === 'message' ? sum + count : sum), 0)
  return kinds.map(({ first, count }, index) => {
    const more = count === 1 ? '' : ` (and ${count - 1} more like it)`
    if (index > 0 || lost === 0) return `messages[${first.index}] ${first.message}${more}`
    const place = `messages[${first.index}] ${first.message.replace(/; left out$/, '')}${more}`
    if (lost === total) return `${noneOf(total)}; ${place}`
    return `${lost} of its ${total} messages ${lost === 1 ? 'is' : 'are'} left out: ${place}`
  })
}

function noneOf(total: number): string {
  return total === 1 ? 'its only message could not be read' : `none of its ${total} messages could be read`
}
