import { useEffect, useRef, useState } from 'preact/hooks'
import type { StoreAnswer } from '../../src/inspector/answers.ts'
import { filterParameters, type Place, replacePlace } from '../data/place.ts'
import { download } from '../data/download.ts'
import { FilterForm } from './filter-form.tsx'
import { SearchHits } from './search-hits.tsx'
import { SessionList } from './session-list.tsx'

interface Props {
  readonly place: Place
  readonly store: StoreAnswer | null
  /** Another number after a change: the list is read again. */
  readonly version: number
  readonly refresh: () => void
  readonly askHelp: () => void
}

/** The left side: search, filters, and the sessions or hits. */
export function ListPane({ place, store, version, refresh, askHelp }: Props) {
  const { filters } = place
  const [text, setText] = useState(place.text)
  // What comes back from the address is not what the reader has typed meanwhile.
  const sent = useRef(place.text)
  useEffect(() => {
    if (place.text === sent.current) return
    sent.current = place.text
    setText(place.text)
  }, [place.text])
  useEffect(() => {
    if (text === place.text) return undefined
    const timer = setTimeout(() => {
      sent.current = text
      replacePlace({ text })
    }, 250)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <nav class="pane-list" aria-label="Sessions">
      <header class="bar">
        <div class="brand">
          <strong>Turnstore</strong>
          <span class="store" title={store?.label}>
            {store?.label ?? ''}
          </span>
          {store !== null && <span class="mode">{store.isWritable ? 'writable' : 'read only'}</span>}
        </div>
        <form role="search" onSubmit={event => event.preventDefault()}>
          <input
            id="search"
            type="search"
            aria-label="Search in all turns"
            placeholder="Search in all turns"
            value={text}
            autocomplete="off"
            spellcheck={false}
            onInput={event => setText(event.currentTarget.value)}
          />
        </form>
        <div class="tools">
          <FilterForm filters={filters} />
          <span class="gap" />
          <button type="button" class="quiet" onClick={refresh} aria-label="Refresh the list">
            Refresh
          </button>
          <button
            type="button"
            class="quiet"
            aria-label="Export the listed sessions as JSON Lines"
            onClick={() => void download('export-listing', filterParameters(filters), 'sessions.jsonl')}
          >
            Export
          </button>
          <button type="button" class="quiet" onClick={askHelp} aria-label="? Keys and help">
            ?
          </button>
        </div>
      </header>
      {place.text.trim() === '' ? (
        <SessionList place={place} version={version} isWritable={store?.isWritable === true} changed={refresh} />
      ) : (
        <SearchHits place={place} version={version} />
      )}
    </nav>
  )
}
