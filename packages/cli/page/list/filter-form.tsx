import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { type Filters, filterNames, noFilters, replacePlace } from '../data/place.ts'

const statuses = ['success', 'error', 'running', 'cancelled', 'interrupted']

/** The filters of the list, behind a button that says how many are set. */
export function FilterForm({ filters }: { readonly filters: Filters }) {
  const id = useId()
  const [isOpen, setOpen] = useState(() => filterNames.some(name => filters[name] !== ''))
  const [draft, setDraft] = useState(filters)
  const set = filterNames.filter(name => filters[name] !== '').length
  const known = JSON.stringify(filters)
  // As with the text of a search.
  const sent = useRef(known)
  useEffect(() => {
    if (known === sent.current) return
    sent.current = known
    setDraft(filters)
  }, [known])
  useEffect(() => {
    if (JSON.stringify(draft) === known) return undefined
    const timer = setTimeout(() => {
      sent.current = JSON.stringify(draft)
      replacePlace({ filters: draft })
    }, 250)
    return () => clearTimeout(timer)
  }, [draft])
  const field = (name: keyof Filters, label: string, placeholder = '') => (
    <label>
      {label}
      <input
        name={name}
        value={draft[name]}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        list={name === 'status' ? `${id}-statuses` : undefined}
        onInput={event => setDraft({ ...draft, [name]: event.currentTarget.value })}
      />
    </label>
  )
  return (
    <>
      <button type="button" class="quiet" aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
        Filter{set === 0 ? '' : ` (${set})`}
      </button>
      <form id={id} class="filters" hidden={!isOpen} aria-label="Filters" onSubmit={event => event.preventDefault()}>
        {field('workspace', 'Workspace')}
        {field('agent', 'Agent')}
        {field('status', 'Status of the last turn')}
        <label>
          Ended
          <select
            name="ended"
            value={draft.ended}
            onChange={event => setDraft({ ...draft, ended: event.currentTarget.value })}
          >
            <option value="">Any</option>
            <option value="no">Not ended</option>
            <option value="yes">Ended</option>
          </select>
        </label>
        <div class="wide">{field('where', 'Metadata', 'channel=web, score:=3')}</div>
        {set > 0 && (
          <button type="button" class="quiet" onClick={() => setDraft(noFilters)}>
            Clear filters
          </button>
        )}
        <datalist id={`${id}-statuses`}>
          {statuses.map(status => (
            <option key={status} value={status} />
          ))}
        </datalist>
      </form>
    </>
  )
}
