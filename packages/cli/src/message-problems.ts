import type { MessageProblem } from '@turnstore/core'

/** All problems that say the same, but for places within a message. */
interface Kind {
  readonly first: MessageProblem
  readonly loss: Loss
  count: number
}

type Loss = 'message' | 'part' | 'none'

const losses: readonly Loss[] = ['message', 'part', 'none']

/**
 * What is wrong with the messages of a transcript, which has `total` of them: a sentence for each kind of problem,
 * those first by which more is lost.
 */
export function tellProblems(problems: readonly MessageProblem[], total: number): string[] {
  const byText = new Map<string, Kind>()
  for (const problem of problems) {
    const text = problem.message.replaceAll(/\[\d+\]/g, '[]')
    const kind = byText.get(text) ?? { first: problem, loss: lossOf(problem), count: 0 }
    kind.count++
    byText.set(text, kind)
  }
  const kinds = losses.flatMap(loss => [...byText.values()].filter(kind => kind.loss === loss))
  const lost = kinds.reduce((sum, { loss, count }) => (loss === 'message' ? sum + count : sum), 0)
  return kinds.map(({ first, count }, index) => {
    const more = count === 1 ? '' : ` (and ${count - 1} more such)`
    if (index > 0 || lost === 0) return `messages[${first.index}] ${first.message}${more}`
    const place = `messages[${first.index}] ${first.message.slice(0, -LEFT_OUT.length)}${more}`
    if (lost === total) return `${noneOf(total)}; ${place}`
    return `${lost} of its ${total} messages ${lost === 1 ? 'is' : 'are'} left out: ${place}`
  })
}

const LEFT_OUT = '; left out'

/** What core says of a part of a message, be it a call, names the part first. */
function lossOf({ message }: MessageProblem): Loss {
  if (message.endsWith(LEFT_OUT) && !/^has (?:tool_calls\[|a function_call )/.test(message)) return 'message'
  return message.includes('left out') ? 'part' : 'none'
}

function noneOf(total: number): string {
  return total === 1 ? 'its only message could not be read' : `none of its ${total} messages could be read`
}
