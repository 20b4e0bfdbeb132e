import { useEffect } from 'preact/hooks'
import { goTo, here, type View } from '../data/place.ts'

interface Actions {
  readonly refresh: () => void
  readonly help: () => void
}

const KEY = 'turnstore-keys'

/** Single keys can be switched off, for readers whose speech input types letters. */
export function hasKeys(): boolean {
  return localStorage.getItem(KEY) !== 'off'
}

export function setKeys(isOn: boolean): void {
  localStorage.setItem(KEY, isOn ? 'on' : 'off')
}

/** The events that views listen to. */
export const STEP = 'turnstore-step'

export function useKeys({ refresh, help }: Actions): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { key, target } = event
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
      const isTyping = target instanceof Element && target.matches('input, select, textarea')
      if (key === 'Escape') leave(target)
      else if (!isTyping && hasKeys() && act(key)) event.preventDefault()
    }
    const act = (key: string): boolean => {
      if (key === '/') document.getElementById('search')?.focus()
      else if (key === '?') help()
      else if (key === 'r') refresh()
      else if (key === 'n' || key === 'p') nextSession(key === 'n' ? 1 : -1)
      else if (key === 'j' || key === 'k') dispatchEvent(new CustomEvent(STEP, { detail: key === 'j' ? 1 : -1 }))
      else if (Object.hasOwn(views, key) && here().session !== '') goTo({ view: views[key] ?? 'conversation' })
      else return false
      return true
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })
}

const views: Readonly<Record<string, View>> = { c: 'conversation', t: 'timeline', d: 'details' }

/** From a field to the page, and from a session to the list. */
function leave(target: EventTarget | null): void {
  if (target instanceof HTMLElement && target.matches('input, select')) target.blur()
  else if (here().session !== '') goTo({ session: '', turn: '' })
}

function nextSession(step: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>('a.session')].toSorted(
    (one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top,
  )
  const current = links.findIndex(link => link.ariaCurrent === 'page')
  const next = links[current === -1 ? 0 : current + step]
  if (next === undefined) return
  next.focus()
  next.click()
}
