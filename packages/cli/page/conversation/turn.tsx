import type { TurnAnswer, TurnText } from '../../src/inspector/answers.ts'
import { ask } from '../data/api.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Line, Status } from '../widgets/small.tsx'
import { Text } from '../widgets/text.tsx'
import { counted, duration, longTime, msOf } from '../widgets/times.ts'
import { Calls } from './calls.tsx'
import { Fold } from '../widgets/fold.tsx'
import { Items } from './items.tsx'
import { Transitions } from './transitions.tsx'
import { WholeTurn } from './whole-part.tsx'

interface Props {
  readonly model: SessionModel
  /** Undefined until it is read. */
  readonly turn: TurnAnswer | undefined
  readonly index: number
  readonly count: number
  readonly isWanted: boolean
}

/** A turn: prompt, tool calls, agent transitions, response, and on demand its items and its JSON. */
export function Turn({ model, turn, index, count, isWanted }: Props) {
  const place = { 'aria-posinset': index + 1, 'aria-setsize': count, 'aria-label': `Turn ${index + 1}` }
  if (turn === undefined) {
    return <article class="turn turn-unread" tabIndex={0} aria-busy="true" {...place} />
  }
  const { turnId, prompt, responseContent, error, partCounts, status } = turn
  const transitions = model.transitions.filter(transition => transition.turnId === turnId)
  const { toolCalls, items } = partCounts
  return (
    <article class={isWanted ? 'turn turn-wanted' : 'turn'} tabIndex={0} {...place}>
      <TurnHead turn={turn} index={index} agentId={model.summary?.agentId ?? null} />
      <div class="turn-body">
        {prompt !== '' && <TurnPart model={model} turn={turn} name="prompt" label="Prompt" text={prompt} />}
        {toolCalls > 0 && <Calls model={model} turn={turn} index={index} />}
        <Transitions transitions={transitions} />
        {responseContent !== null && responseContent !== '' && (
          <TurnPart model={model} turn={turn} name="responseContent" label="Response" text={responseContent} />
        )}
        {error !== null && <TurnPart model={model} turn={turn} name="error" label="Error" text={error} />}
        {status === 'running' && <p class="faint working">Running …</p>}
        <div class="turn-folds">
          {items > 0 && (
            <Fold model={model} name={`items ${turnId}`} label={counted(items, 'item')}>
              <Items model={model} turn={turn} index={index} />
            </Fold>
          )}
          <Fold model={model} name={`json ${turnId}`} label="JSON" about={`of turn ${index + 1}`}>
            <WholeTurn id={model.id} turn={turn} />
          </Fold>
        </div>
      </div>
    </article>
  )
}

function TurnHead({
  turn,
  index,
  agentId,
}: {
  readonly turn: TurnAnswer
  readonly index: number
  readonly agentId: string | null
}) {
  const { turnId, status, startedAt, endedAt } = turn
  const took = msOf(endedAt) - msOf(startedAt)
  return (
    <header class="turn-head">
      <h2>{(index + 1).toLocaleString('en')}</h2>
      <Status status={status} />
      {took >= 0 && <span>{duration(took)}</span>}
      {startedAt !== '' && <time dateTime={startedAt}>{longTime(startedAt)}</time>}
      {turn.agentId !== null && turn.agentId !== agentId && <Line class="agent" text={turn.agentId} />}
      <Line class="turn-id mono" text={turnId} />
    </header>
  )
}

interface PartProps {
  readonly model: SessionModel
  readonly turn: TurnAnswer
  readonly name: TurnText
  readonly label: string
  readonly text: string
}

const wireNames = { prompt: 'prompt', responseContent: 'response_content', error: 'error' } as const

function TurnPart({ model, turn, name, label, text }: PartProps) {
  const readAll = async (): Promise<string> => {
    const whole = await ask('turn', { id: model.id, turn: turn.turnId })
    const value = whole[wireNames[name]]
    return typeof value === 'string' ? value : text
  }
  return (
    <div class={`part part-${name}`} role="group" aria-label={label}>
      <h3>{label}</h3>
      <Text text={text} length={turn.clipped[name]} readAll={readAll} />
    </div>
  )
}
