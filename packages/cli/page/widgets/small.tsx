import { printableLine } from '@turnstore/core'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'

/** A status as a word with a dot. The word carries the meaning; the colour only helps. */
export function Status({ status }: { readonly status: string }) {
  const known = /^(?:success|error|running|cancelled|interrupted|timeout|skipped)$/.test(status) ? status : 'other'
  return <span class={`status status-${known}`}>{printableLine(status) || 'unknown'}</span>
}

/** One line from a session. */
export function Line({ text, class: name }: { readonly text: string; readonly class?: string }) {
  return (
    <span dir="auto" class={name}>
      {printableLine(text)}
    </span>
  )
}

export function Problem({ problem, retry }: { readonly problem: ErrorAnswer; readonly retry?: () => void }) {
  return (
    <div class="problem" role="alert">
      <p>
        <code>{problem.code}</code> {printableLine(problem.message)}
      </p>
      {retry !== undefined && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}
