import { useState } from 'preact/hooks'
import { hasKeys, setKeys } from './use-keys.ts'
import { Dialog } from '../widgets/dialog.tsx'

const keys: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'Search'],
  ['n  p', 'Next and previous session'],
  ['j  k', 'Next and previous turn'],
  ['c  t  d', 'Conversation, timeline, details'],
  ['r', 'Read the list again'],
  ['Esc', 'Back to the list'],
  ['?', 'This help'],
]

export function Help({ close }: { readonly close: () => void }) {
  const [isOn, setOn] = useState(hasKeys)
  return (
    <Dialog title="Keys" close={close}>
      <dl class="keys">
        {keys.map(([names, what]) => (
          <div key={names}>
            <dt>
              {names.split('  ').map(name => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={isOn}
          onChange={event => {
            setKeys(event.currentTarget.checked)
            setOn(event.currentTarget.checked)
          }}
        />
        Single keys work
      </label>
      <p class="faint">Search finds words, and "phrases" in quotes, in prompts, responses, tool calls and errors.</p>
      <form method="dialog" class="buttons">
        <button type="submit">Close</button>
      </form>
    </Dialog>
  )
}
