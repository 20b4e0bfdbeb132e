import { useEffect, useState } from 'preact/hooks'
import type { ErrorAnswer, Span } from '../../src/inspector/answers.ts'
import { ask, problemOf } from '../data/api.ts'
import type { SessionModel } from '../data/session-model.ts'

export interface Spans {
  readonly spans: readonly Span[]
  readonly isWhole: boolean
  readonly problem: ErrorAnswer | null
}

/** When the turns of a session were. When the session grows, it reads on from the last turn that was not over. */
export function useSpans({ id, summary }: SessionModel): Spans {
  const [state, setState] = useState<Spans>({ spans: [], isWhole: false, problem: null })
  useEffect(() => {
    const controller = new AbortController()
    const read = async (): Promise<void> => {
      const turnCount = summary?.turnCount ?? 0
      const running = state.spans.findIndex(({ status }) => status === 'running')
      const known = Math.min(running === -1 ? state.spans.length : running, Math.max(0, turnCount - 1))
      let spans = state.spans.length > turnCount ? [] : state.spans.slice(0, known)
      for (let isWhole = false; !isWhole;) {
        const { items, count } = await ask('spans', { id, from: spans.length }, controller.signal)
        spans = [...spans, ...items]
        isWhole = spans.length >= count || items.length === 0
        setState({ spans, isWhole, problem: null })
      }
    }
    read().catch((error: unknown) => {
      const problem = problemOf(error)
      if (problem !== null) setState(before => ({ ...before, problem }))
    })
    return () => controller.abort()
  }, [id, summary?.revision])
  return state
}
