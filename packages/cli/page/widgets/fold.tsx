import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import type { SessionModel } from '../data/session-model.ts'

interface Props {
  readonly model: SessionModel
  /** Of this fold in the session: it stays open when it leaves the view and returns. */
  readonly name: string
  readonly label: ComponentChildren
  /** More of the label, for screen readers. */
  readonly about?: string
  readonly class?: string
  readonly children: ComponentChildren
}

/** Something that opens. What is in it is made, and read, only then. */
export function Fold({ model, name, label, about, children, class: kind = 'fold' }: Props) {
  const id = useId()
  const [isOpen, setOpen] = useState(model.unfolded.has(name))
  const toggle = (): void => {
    if (isOpen) model.unfolded.delete(name)
    else model.unfolded.add(name)
    setOpen(!isOpen)
  }
  return (
    <div class={kind}>
      <button type="button" class={`${kind}-button`} aria-expanded={isOpen} aria-controls={id} onClick={toggle}>
        <span class="chevron" aria-hidden="true" />
        {label}
        {about !== undefined && <span class="visually-hidden"> {about}</span>}
      </button>
      <div id={id} class={`${kind}-body`} hidden={!isOpen}>
        {isOpen && children}
      </div>
    </div>
  )
}
