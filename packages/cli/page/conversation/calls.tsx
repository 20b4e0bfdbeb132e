import type { CallAnswer, TurnAnswer } from '../../src/inspector/answers.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Line, Problem, Status } from '../widgets/small.tsx'
import { counted, duration, msOf } from '../widgets/times.ts'
import { Windowed } from '../widgets/windowed.tsx'
import { Fold } from '../widgets/fold.tsx'
import { WholeCall } from './whole-part.tsx'

/** More calls than this scroll in a box of their own, where only those in view are read and drawn. */
const MOST_OPEN = 12

interface Props {
  readonly model: SessionModel
  readonly turn: TurnAnswer
  readonly index: number
}

export function Calls({ model, turn, index }: Props) {
  const count = turn.partCounts.toolCalls
  const calls = model.calls(turn.turnId, count)
  const label = `Tool calls of turn ${index + 1}`
  const took = msOf(turn.endedAt) - msOf(turn.startedAt)
  const row = (place: number) => <Call model={model} turn={turn} call={calls.at(place)} place={place} took={took} />
  return (
    <div class="calls">
      <h3>{counted(count, 'tool call')}</h3>
      {calls.problem !== null && <Problem problem={calls.problem} retry={() => calls.retry()} />}
      {count <= MOST_OPEN ? (
        <ol class="calls-list" aria-label={label}>
          {Array.from({ length: count }, (_, place) => (
            <li key={place}>{row(place)}</li>
          ))}
        </ol>
      ) : (
        <Windowed class="calls-box" label={label} role="list" count={count} guess={34} isPart row={row} />
      )}
    </div>
  )
}

interface CallProps {
  readonly model: SessionModel
  readonly turn: TurnAnswer
  readonly call: CallAnswer | undefined
  readonly place: number
  /** How long the turn took, in milliseconds, or NaN. */
  readonly took: number
}

function Call({ model, turn, call, place, took }: CallProps) {
  if (call === undefined) return <div class="call call-unread" />
  const { toolName, status, durationMs, preview, error } = call
  const share = durationMs !== null && took > 0 ? Math.min(1, durationMs / took) : null
  const label = (
    <>
      <Line class="call-name mono" text={toolName} />
      <Line class="call-preview mono" text={error ?? preview} />
      {share !== null && (
        <span class="call-bar" aria-hidden="true">
          <span style={{ width: `${Math.max(2, share * 100)}%` }} />
        </span>
      )}
      {durationMs !== null && <span class="call-time">{duration(durationMs)}</span>}
      <Status status={status} />
    </>
  )
  return (
    <Fold model={model} class="call" name={`call ${turn.turnId} ${place}`} label={label}>
      <WholeCall id={model.id} turnId={turn.turnId} place={place} version={status} />
    </Fold>
  )
}
