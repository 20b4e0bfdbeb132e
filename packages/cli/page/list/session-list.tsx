import type { DamagedSession, SessionSummary } from '@turnstore/core'
import { ask } from '../data/api.ts'
import { filterNames, filterParameters, linkTo, type Place } from '../data/place.ts'
import { titleOf } from '../data/title.ts'
import { Line, Problem, Status } from '../widgets/small.tsx'
import { counted, longTime, shortTime } from '../widgets/times.ts'
import { Windowed } from '../widgets/windowed.tsx'
import { DamagedRow } from './damaged-row.tsx'
import { usePaged } from './use-paged.ts'

type Listed = SessionSummary | DamagedSession

interface Props {
  readonly place: Place
  readonly version: number
  readonly isWritable: boolean
  /** After a write. */
  readonly changed: () => void
}

/** All sessions that meet the filters, the latest first. Its pages come as one scrolls, and news come by themselves. */
export function SessionList({ place, version, isWritable, changed }: Props) {
  const { filters } = place
  const known = JSON.stringify(filters)
  const paged = usePaged(
    async (cursor, signal) => {
      const page = await ask('sessions', { ...filterParameters(filters), ...(cursor === '' ? {} : { cursor }) }, signal)
      return { items: [...page.damaged, ...page.sessions], cursor: page.cursor }
    },
    [known, version],
    renewed,
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
        if ('code' in item) return <DamagedRow session={item} isWritable={isWritable} changed={changed} />
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

/** What is behind the first page stays, but for sessions that have moved to the front or have left it. */
function renewed(items: readonly Listed[], first: readonly Listed[]): readonly Listed[] {
  const ids = new Set(first.map(({ sessionId }) => sessionId))
  const last = first.findLast(each => 'updatedAt' in each)
  const behind = items.filter(
    each => !ids.has(each.sessionId) && ('code' in each || last === undefined || each.updatedAt <= last.updatedAt),
  )
  return [...first, ...behind]
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
