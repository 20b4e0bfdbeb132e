import type { SessionSummary } from '@turnstore/core'
import { useState } from 'preact/hooks'
import { ApiError, ask } from '../data/api.ts'
import { linkTo } from '../data/place.ts'
import { titleOf } from '../data/title.ts'
import { Line, Problem } from '../widgets/small.tsx'
import { counted } from '../widgets/times.ts'
import { useLoaded } from '../widgets/use-loaded.ts'

/** How far up the tree goes: forks of forks of forks. A record may even name itself. */
const MOST_ANCESTORS = 40
const MOST_FORKS = 100

/** The sessions that this one was forked from, and those that were forked from it, as a tree. */
export function Forks({ summary }: { readonly summary: SessionSummary }) {
  const { value: path, problem } = useLoaded(signal => pathTo(summary, signal), [summary.sessionId])
  const root = path?.[0]
  return (
    <section aria-labelledby="forks-title">
      <h2 id="forks-title">Forks</h2>
      {problem !== null && <Problem problem={problem} />}
      {path !== null && root !== undefined && (
        <ul class="tree">
          <ForkNode session={root} path={path.map(({ sessionId }) => sessionId)} current={summary.sessionId} />
        </ul>
      )}
    </section>
  )
}

/** From the first ancestor that exists down to the session. */
async function pathTo(summary: SessionSummary, signal: AbortSignal): Promise<SessionSummary[]> {
  const path = [summary]
  for (let parent = summary.parentSessionId; parent !== null && path.length < MOST_ANCESTORS;) {
    if (path.some(({ sessionId }) => sessionId === parent)) break
    const session = await ask('session', { id: parent }, signal).catch((error: unknown) => {
      if (error instanceof ApiError && error.code === 'NOT_FOUND') return null
      throw error
    })
    if (session === null) break
    path.unshift(session)
    parent = session.parentSessionId
  }
  return path
}

interface NodeProps {
  readonly session: SessionSummary
  /** The ids that are open at first. */
  readonly path: readonly string[]
  readonly current: string
}

function ForkNode({ session, path, current }: NodeProps) {
  const { sessionId, turnCount } = session
  const [isOpen, setOpen] = useState(path.includes(sessionId))
  const isCurrent = sessionId === current
  const name = titleOf(session) || sessionId
  return (
    <li>
      <button
        type="button"
        class="tree-button"
        aria-expanded={isOpen}
        aria-label={`Forks of ${name}`}
        onClick={() => setOpen(!isOpen)}
      >
        <span class="chevron" aria-hidden="true" />
      </button>
      <a href={linkTo({ session: sessionId, turn: '' })} aria-current={isCurrent ? 'page' : undefined}>
        <Line text={name} />
      </a>{' '}
      <span class="faint">{counted(turnCount, 'turn')}</span>
      {isOpen && <ForksOf session={session} path={path} current={current} />}
    </li>
  )
}

function ForksOf({ session: { sessionId }, path, current }: NodeProps) {
  const { value, problem } = useLoaded(
    signal => ask('sessions', { parent: sessionId, limit: MOST_FORKS }, signal),
    [sessionId],
  )
  if (problem !== null) return <Problem problem={problem} />
  // A record that names itself as its parent would be its own fork.
  const forks = value?.sessions.filter(fork => fork.sessionId !== sessionId) ?? []
  if (value === null) return null
  if (forks.length === 0) return <p class="faint tree-empty">No forks</p>
  return (
    <ul>
      {forks.map(fork => (
        <ForkNode key={fork.sessionId} session={fork} path={path} current={current} />
      ))}
      {value.cursor !== null && <li class="faint">More than {MOST_FORKS} forks</li>}
    </ul>
  )
}
