/** For one session. */
const MOST = 5

export function contradictionSentence(where: string): string {
  return `the target has other content in ${where}; it is not changed`
}

/** What is printed of the places where a target says something else: a sentence for each, at most five. */
export function contradictionSentences(contradictions: readonly string[]): string[] {
  const shown = contradictions.length > MOST ? contradictions.slice(0, MOST - 1) : contradictions
  const sentences = shown.map(contradictionSentence)
  const more = contradictions.length - shown.length
  return more === 0 ? sentences : [...sentences, contradictionSentence(`${more} more places, which --json lists`)]
}
