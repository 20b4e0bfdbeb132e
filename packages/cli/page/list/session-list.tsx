import type { SessionSummary } from '@turnstore/core'
import { ask } from '../data/api.ts'
import { filterNames, filterParameters, linkTo, type Place } from '../data/place.ts'
import { titleOf } from '../data/title.ts'
import { Line, Problem, Status } from '../widgets/small.tsx'
import { counted, longTime, shortTime } from '../widgets/times.ts'
import { Windowed } from '../widgets/windowed.tsx'
import { usePaged } from './use-paged.ts'

/** All sessions that meet the filters, the latest first. Its pages come as one scrolls. */
export function SessionList({ place, version }: { readonly place: Place; readonly version: number }) {
  const { filters } = place
  const known = JSON.stringify(filters)
  const paged = usePaged(
    async (cursor, signal) => {
      const page = await ask('sessions', { ...filterParameters(filters), ...(cursor === '' ? {} : { cursor }) }, signal)
      return { items: [...page.damaged, ...page.sessions], cursor: page.cursor }
    },
    [known, version],
  )
  const { items, isLoading, isWhole, problem } = paged
  const isFiltered = filterNames.some(name => filters[name] !== '')
  return (
    <Windowed
      key={known}
      class="sessions"
      label="List of sessions"
      role="list"
      count={items.length}
      guess={76}
      onEnd={paged.more}
      row={index => {
        const item = items[index]
        if (item === undefined) return <></>
        if ('code' in item) return <DamagedRow id={item.sessionId} code={item.code} />
        return <SessionRow session={item} isCurrent={item.sessionId === place.session} />
      }}
      after={
        <div class="list-end">
          {problem !== null && <Problem problem={problem} retry={paged.more} />}
          {isLoading && <p class="faint">Reading …</p>}
          {isWhole && items.length > 0 && <p class="faint">{counted(items.length, 'session')}</p>}
          {isWhole && items.length === 0 && (
            <p class="empty">{isFiltered ? 'No session meets these filters.' : 'This store has no sessions yet.'}</p>
          )}
        </div>
      }
    />
  )
}

function SessionRow({ session, isCurrent }: { readonly session: SessionSummary; readonly isCurrent: boolean }) {
  const { sessionId, lastTurn, updatedAt, turnCount, agentId, workspaceId, metadata, parentSessionId } = session
  const title = titleOf(session)
  const prompt = lastTurn?.prompt ?? ''
  return (
    <a
      class="session"
      href={linkTo({ session: sessionId, turn: '', view: 'conversation' })}
      aria-current={isCurrent ? 'page' : undefined}
    >
      <span class="session-top">
        <Line
          class={title === '' && prompt === '' ? 'session-title mono' : 'session-title'}
          text={title || prompt || sessionId}
        />
        <time class="faint" dateTime={updatedAt} title={longTime(updatedAt)}>
          {shortTime(updatedAt)}
        </time>
      </span>
      <Line class="session-prompt" text={title === '' ? sessionId : prompt || sessionId} />
      <span class="session-facts">
        {lastTurn === null ? <span class="status status-other">empty</span> : <Status status={lastTurn.status} />}
        <span>{counted(turnCount, 'turn')}</span>
        {metadata.ended === true && <span>ended</span>}
        {parentSessionId !== null && <span>fork</span>}
        {workspaceId !== null && <Line text={workspaceId} />}
        {agentId !== null && <Line text={agentId} />}
      </span>
    </a>
  )
}

function DamagedRow({ id, code }: { readonly id: string; readonly code: string }) {
  return (
    <div class="session damaged">
      <Line class="session-title mono" text={id} />
      <span class="session-facts">
        <span class="status status-error">{code}</span>
        <span>turnstore check tells more</span>
      </span>
    </div>
  )
}
