import type { SessionRecord } from '@turnstore/core'

/** What a summary of a session says, apart from core's own code. */
export function summaryOf({ turns, agentTransitions, extra: _extra, ...head }: SessionRecord): object {
  return {
    ...head,
    turnCount: turns.length,
    agentTransitionCount: agentTransitions.length,
    lastTurn: lastTurnOf(turns),
  }
}

function lastTurnOf(turns: SessionRecord['turns']): object | null {
  const last = turns.at(-1)
  if (last === undefined) return null
  const { turnId, status, startedAt } = last
  let prompt = ''
  // By characters, so that none is cut in half.
  for (const character of last.prompt) {
    if (prompt.length + character.length > 200) break
    prompt += character
  }
  return { turnId, status, prompt, startedAt }
}
