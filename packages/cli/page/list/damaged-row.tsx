import type { DamagedSession } from '@turnstore/core'
import { useState } from 'preact/hooks'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { problemOf, write } from '../data/api.ts'
import { DeleteDialog } from '../widgets/delete-dialog.tsx'
import { Line, Problem } from '../widgets/small.tsx'

interface Props {
  readonly session: DamagedSession
  readonly isWritable: boolean
  /** After a write. */
  readonly changed: () => void
}

/** A session that cannot be read. It can be deleted. */
export function DamagedRow({ session: { sessionId: id, code }, isWritable, changed }: Props) {
  const [isAsking, setAsking] = useState(false)
  const [problem, setProblem] = useState<ErrorAnswer | null>(null)
  const discard = async (): Promise<void> => {
    setAsking(false)
    try {
      await write('discard', { id })
    } catch (error) {
      setProblem(problemOf(error))
      return
    }
    changed()
  }
  return (
    <div class="session damaged">
      <Line class="session-title mono" text={id} />
      <span class="session-facts">
        <span class="status status-error">{code}</span>
        <span>turnstore check tells more</span>
        {isWritable && code === 'CORRUPT_SESSION' && (
          <button type="button" class="danger" onClick={() => setAsking(true)}>
            Delete …
          </button>
        )}
      </span>
      {problem !== null && <Problem problem={problem} />}
      {isAsking && (
        <DeleteDialog keep={() => setAsking(false)} remove={() => void discard()}>
          <Line class="mono" text={id} /> cannot be read. All that is left of it is deleted for good.
        </DeleteDialog>
      )}
    </div>
  )
}
