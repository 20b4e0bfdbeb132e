import type { ComponentChildren } from 'preact'
import { Dialog } from './dialog.tsx'

interface Props {
  readonly keep: () => void
  readonly remove: () => void
  /** What will be gone. */
  readonly children: ComponentChildren
}

export function DeleteDialog({ keep, remove, children }: Props) {
  return (
    <Dialog title="Delete this session?" close={keep}>
      <p>{children}</p>
      <div class="buttons">
        <button type="button" onClick={keep} autofocus>
          Keep it
        </button>
        <button type="button" class="danger" onClick={remove}>
          Delete
        </button>
      </div>
    </Dialog>
  )
}
