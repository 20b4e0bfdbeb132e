import type { TurnAnswer } from '../../src/inspector/answers.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Line, Problem } from '../widgets/small.tsx'
import { Windowed } from '../widgets/windowed.tsx'
import { Fold } from '../widgets/fold.tsx'
import { WholeItem } from './whole-part.tsx'

interface Props {
  readonly model: SessionModel
  readonly turn: TurnAnswer
  readonly index: number
}

/** The items of a turn: what the agent's SDK had, exactly. */
export function Items({ model, turn, index }: Props) {
  const { turnId, partCounts } = turn
  const items = model.items(turnId, partCounts.items)
  const row = (place: number) => {
    const item = items.at(place)
    if (item === undefined) return <div class="call call-unread" />
    const label = (
      <>
        <Line class="call-name mono" text={item.format} />
        <Line class="call-preview mono" text={item.preview} />
      </>
    )
    return (
      <Fold model={model} class="call" name={`item ${turnId} ${place}`} label={label}>
        <WholeItem id={model.id} turnId={turnId} place={place} />
      </Fold>
    )
  }
  const label = `Items of turn ${index + 1}`
  return (
    <>
      {items.problem !== null && <Problem problem={items.problem} retry={() => items.retry()} />}
      <Windowed class="calls-box" label={label} role="list" count={partCounts.items} guess={34} isPart row={row} />
    </>
  )
}
