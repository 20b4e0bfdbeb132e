import { useEffect, useState } from 'preact/hooks'

/** What the reader looks at. It is in the fragment of the URL, so that links, Back and a reload work. */
export interface Place {
  readonly session: string
  readonly turn: string
  readonly view: View
  readonly text: string
  readonly filters: Filters
}

export type View = 'conversation' | 'timeline' | 'details'

export interface Filters {
  readonly workspace: string
  readonly agent: string
  readonly status: string
  readonly ended: string
  readonly where: string
}

export const noFilters: Filters = { workspace: '', agent: '', status: '', ended: '', where: '' }

export const filterNames: readonly (keyof Filters)[] = ['workspace', 'agent', 'status', 'ended', 'where']

function placeIn(hash: string): Place {
  const members = new URLSearchParams(hash.slice(1))
  const get = (name: string): string => members.get(name) ?? ''
  const view = get('view')
  return {
    session: get('session'),
    turn: get('turn'),
    view: view === 'timeline' || view === 'details' ? view : 'conversation',
    text: get('text'),
    filters: {
      workspace: get('workspace'),
      agent: get('agent'),
      status: get('status'),
      ended: get('ended'),
      where: get('where'),
    },
  }
}

/** The address of a place; members that are not named stay as they are. */
export function linkTo(change: Partial<Place>): string {
  const { filters, ...others } = { ...here(), ...change }
  const members = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...others, ...filters })) {
    if (value !== '' && value !== 'conversation') members.set(name, value)
  }
  return `#${members}`
}

export function here(): Place {
  return placeIn(location.hash)
}

export function goTo(change: Partial<Place>): void {
  location.hash = linkTo(change)
}

/** Without a step in the history: for what changes while the reader types. */
export function replacePlace(change: Partial<Place>): void {
  history.replaceState(null, '', linkTo(change))
  dispatchEvent(new HashChangeEvent('hashchange'))
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here)
  useEffect(() => {
    const update = (): void => setPlace(here())
    addEventListener('hashchange', update)
    return () => removeEventListener('hashchange', update)
  }, [])
  return place
}

/** The filters as parameters of a call. */
export function filterParameters({ where, ...filters }: Filters): Record<string, string | readonly string[]> {
  const set = Object.entries(filters).filter(([, value]) => value !== '')
  return {
    ...Object.fromEntries(set),
    ...(where.trim() === '' ? {} : { where: where.split(',').map(condition => condition.trim()) }),
  }
}
