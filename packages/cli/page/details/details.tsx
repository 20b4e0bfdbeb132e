import type { SessionSummary } from '@turnstore/core'
import { useState } from 'preact/hooks'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { problemOf } from '../data/api.ts'
import { download } from '../data/download.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Json } from '../widgets/json.tsx'
import { Problem } from '../widgets/small.tsx'
import { Text } from '../widgets/text.tsx'
import { longTime } from '../widgets/times.ts'
import { Forks } from './forks.tsx'
import { WholeSession } from './whole-session.tsx'
import { Writes } from './writes.tsx'

interface Props {
  readonly model: SessionModel
  readonly summary: SessionSummary
  readonly isWritable: boolean
  readonly changed: () => void
}

/** What is known of a session besides its turns, and what can be done with it. */
export function Details({ model, summary, isWritable, changed }: Props) {
  const { sessionId, workspaceId, agentId, createdAt, updatedAt, revision, metadata } = summary
  const [problem, setProblem] = useState<ErrorAnswer | null>(null)
  const save = (name: string, extension: string): void => {
    download(name, { id: sessionId }, `${sessionId}.${extension}`).catch((error: unknown) =>
      setProblem(problemOf(error)),
    )
  }
  const facts = [
    ['Session', sessionId],
    ['Workspace', workspaceId ?? 'none'],
    ['Agent', agentId ?? 'none'],
    ['Created', createdAt === '' ? 'unknown' : longTime(createdAt)],
    ['Updated', updatedAt === '' ? 'unknown' : longTime(updatedAt)],
    ['Revision', revision.toLocaleString('en')],
    ['Turns', summary.turnCount.toLocaleString('en')],
    ['Agent transitions', summary.agentTransitionCount.toLocaleString('en')],
  ] as const
  return (
    <div class="details" tabIndex={0} role="region" aria-label="Details">
      <dl class="table">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Text text={value} />
            </dd>
          </div>
        ))}
      </dl>
      <section aria-labelledby="export-title">
        <h2 id="export-title">Export</h2>
        <p class="buttons">
          <button type="button" onClick={() => save('export', 'json')}>
            Save as JSON
          </button>
          <button type="button" onClick={() => save('markdown', 'md')}>
            Save as Markdown
          </button>
        </p>
        {problem !== null && <Problem problem={problem} />}
      </section>
      {isWritable && <Writes model={model} summary={summary} changed={changed} />}
      <Forks summary={summary} />
      <Json label="Metadata" value={metadata} isSection />
      <WholeSession model={model} />
    </div>
  )
}
