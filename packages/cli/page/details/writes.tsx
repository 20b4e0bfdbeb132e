import type { SessionSummary } from '@turnstore/core'
import { useState } from 'preact/hooks'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { problemOf, write, type ChangeName } from '../data/api.ts'
import { goTo } from '../data/place.ts'
import type { SessionModel } from '../data/session-model.ts'
import { titleOf } from '../data/title.ts'
import { DeleteDialog } from '../widgets/delete-dialog.tsx'
import { Line, Problem } from '../widgets/small.tsx'
import { counted } from '../widgets/times.ts'

interface Props {
  readonly model: SessionModel
  readonly summary: SessionSummary
  readonly changed: () => void
}

/** Rename, end and delete. Each changes only the revision that the reader sees. */
export function Writes({ model, summary, changed }: Props) {
  const { sessionId: id, revision: ifRevision, metadata, turnCount } = summary
  const [title, setTitle] = useState(titleOf(summary))
  const [problem, setProblem] = useState<ErrorAnswer | null>(null)
  const [isAsking, setAsking] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const act = async (name: ChangeName, more: { title?: string } = {}): Promise<void> => {
    setBusy(true)
    setProblem(null)
    try {
      await write(name, { id, ifRevision, ...more })
      if (name === 'delete') goTo({ session: '', turn: '' })
      else await model.reload()
      changed()
    } catch (error) {
      setProblem(problemOf(error))
      // What someone else changed is shown before the next try.
      await model.reload()
    }
    setBusy(false)
  }
  return (
    <section aria-labelledby="writes-title">
      <h2 id="writes-title">Change</h2>
      <form
        class="rename"
        onSubmit={event => {
          event.preventDefault()
          void act('rename', { title })
        }}
      >
        <label>
          Title
          <input value={title} dir="auto" maxLength={500} onInput={event => setTitle(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={isBusy || title === titleOf(summary)}>
          Rename
        </button>
      </form>
      <p class="buttons">
        <button type="button" disabled={isBusy || metadata.ended === true} onClick={() => void act('end')}>
          {metadata.ended === true ? 'Ended' : 'End'}
        </button>
        <button type="button" class="danger" disabled={isBusy} onClick={() => setAsking(true)}>
          Delete …
        </button>
      </p>
      {problem !== null && <Problem problem={problem} />}
      {isAsking && (
        <DeleteDialog
          keep={() => setAsking(false)}
          remove={() => {
            setAsking(false)
            void act('delete')
          }}
        >
          <Line class="mono" text={id} /> with {counted(turnCount, 'turn')} is deleted for good.
        </DeleteDialog>
      )}
    </section>
  )
}
