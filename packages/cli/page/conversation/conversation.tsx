import { useEffect, useRef, useState } from 'preact/hooks'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { ask, problemOf } from '../data/api.ts'
import type { SessionModel } from '../data/session-model.ts'
import { STEP } from '../keys/use-keys.ts'
import { Problem } from '../widgets/small.tsx'
import { Windowed, type WindowedHandle } from '../widgets/windowed.tsx'
import { Transitions } from './transitions.tsx'
import { Turn } from './turn.tsx'

interface Props {
  readonly model: SessionModel
  /** The turn to show, by id. */
  readonly turn: string
}

/** The turns of a session, of which only those in view are read and drawn. */
export function Conversation({ model, turn }: Props) {
  const { turns, summary, transitions } = model
  const list = useRef<WindowedHandle | null>(null)
  const [missing, setMissing] = useState<ErrorAnswer | null>(null)
  useEffect(() => {
    setMissing(null)
    if (turn === '') {
      if (summary?.lastTurn?.status === 'running') list.current?.showEnd()
      return undefined
    }
    const controller = new AbortController()
    ask('turns', { id: model.id, turn }, controller.signal).then(
      ({ firstIndex, items }) => {
        if (items.length > 0) list.current?.show(firstIndex, { focus: true })
        else setMissing({ code: 'TURN_NOT_FOUND', message: 'The session no longer has this turn' })
      },
      (error: unknown) => setMissing(problemOf(error)),
    )
    return () => controller.abort()
  }, [turn])
  useEffect(() => {
    const onStep = (event: Event): void => {
      if (!(event instanceof CustomEvent) || list.current === null || turns.count === 0) return
      const focused = document.activeElement?.closest('.conversation > .windowed-rows > [data-row]')
      const at =
        focused instanceof HTMLElement ? Number(focused.dataset.row) : list.current.first - (event.detail > 0 ? 1 : 0)
      list.current.show(Math.min(turns.count - 1, Math.max(0, at + Number(event.detail))), { focus: true })
    }
    addEventListener(STEP, onStep)
    return () => removeEventListener(STEP, onStep)
  }, [turns])
  const others = transitions.filter(({ turnId }) => turnId === '')
  return (
    <Windowed
      class="conversation"
      label="Conversation"
      role="feed"
      count={turns.count}
      guess={220}
      follows
      handle={handle => {
        list.current = handle
      }}
      before={
        <>
          {missing !== null && <Problem problem={missing} />}
          {turns.problem !== null && <Problem problem={turns.problem} retry={() => turns.retry()} />}
          {turns.count === 0 && <p class="empty">This session has no turns yet.</p>}
          <Transitions transitions={others} />
        </>
      }
      row={index => (
        <Turn
          model={model}
          turn={turns.at(index)}
          index={index}
          count={turns.count}
          isWanted={turn !== '' && turns.at(index)?.turnId === turn}
        />
      )}
    />
  )
}
