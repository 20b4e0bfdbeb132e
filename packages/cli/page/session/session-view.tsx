import { useEffect } from 'preact/hooks'
import { linkTo, type Place } from '../data/place.ts'
import { Details } from '../details/details.tsx'
import { titleOf } from '../data/title.ts'
import { Timeline } from '../timeline/timeline.tsx'
import { Line, Problem, Status } from '../widgets/small.tsx'
import { counted, longTime } from '../widgets/times.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Conversation } from '../conversation/conversation.tsx'
import { useSession } from './use-session.ts'

interface Props {
  readonly place: Place
  readonly isWritable: boolean
  /** After a write. */
  readonly changed: () => void
}

const views = [
  ['conversation', 'Conversation'],
  ['timeline', 'Timeline'],
  ['details', 'Details'],
] as const

/** One session, in one of three views. */
export function SessionView({ place, isWritable, changed }: Props) {
  const model = useSession(place.session)
  const { summary, problem, news } = model
  const title = summary === null ? '' : titleOf(summary)
  useEffect(() => {
    document.title = `${title || place.session} – Turnstore`
  }, [title, place.session])
  return (
    <>
      <header class="session-head">
        <a class="back" href={linkTo({ session: '', turn: '' })}>
          ← Sessions
        </a>
        <h1>
          <Line text={title || place.session} />
        </h1>
        <p class="facts">
          {title !== '' && <Line class="mono" text={place.session} />}
          {summary !== null && <Facts model={model} />}
        </p>
        <nav class="views" aria-label="Views of the session">
          {views.map(([view, name]) => (
            <a key={view} href={linkTo({ view })} aria-current={place.view === view ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
      </header>
      <p class="visually-hidden" role="status">
        {news}
      </p>
      {problem !== null && <Problem problem={problem} retry={() => void model.open()} />}
      {model.isDeleted && <p class="notice">This session was deleted. What was read of it is still shown.</p>}
      {summary !== null && place.view === 'conversation' && <Conversation model={model} turn={place.turn} />}
      {summary !== null && place.view === 'timeline' && <Timeline model={model} />}
      {summary !== null && place.view === 'details' && (
        <Details model={model} summary={summary} isWritable={isWritable && !model.isDeleted} changed={changed} />
      )}
    </>
  )
}

function Facts({ model: { summary, connection, isDeleted } }: { readonly model: SessionModel }) {
  if (summary === null) return null
  const { lastTurn, turnCount, updatedAt, agentId, workspaceId, metadata, parentSessionId } = summary
  return (
    <>
      {lastTurn !== null && <Status status={lastTurn.status} />}
      <span>{counted(turnCount, 'turn')}</span>
      {metadata.ended === true && <span>ended</span>}
      {workspaceId !== null && <Line text={workspaceId} />}
      {agentId !== null && <Line text={agentId} />}
      {updatedAt !== '' && <time dateTime={updatedAt}>{longTime(updatedAt)}</time>}
      {parentSessionId !== null && (
        <a href={linkTo({ session: parentSessionId, turn: '', view: 'conversation' })}>
          fork of <Line text={parentSessionId} />
        </a>
      )}
      {!isDeleted && <span class={`connection connection-${connection}`}>{labels[connection]}</span>}
    </>
  )
}

const labels = { connecting: 'connecting', live: 'live', lost: 'not connected, trying again' } as const
