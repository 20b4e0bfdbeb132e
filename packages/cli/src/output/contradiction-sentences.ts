import { figure } from '../terminal/figure.js'

/** Lines per session. */
const MOST = 5

export function contradictionSentence(where: string): string {
  return `the target has different content in ${where}; it was not changed`
}

/** One sentence per contradiction, at most five. */
export function contradictionSentences(contradictions: readonly string[]): string[] {
  const shown = contradictions.length > MOST ? contradictions.slice(0, MOST - 1) : contradictions
  const sentences = shown.map(contradictionSentence)
  const more = contradictions.length - shown.length
  return more === 0
    ? sentences
    : [...sentences, contradictionSentence(`${figure(more)} more places (listed by --json)`)]
}
