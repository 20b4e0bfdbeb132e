import { useEffect, useReducer, useRef } from 'preact/hooks'
import type { ErrorAnswer } from '../../src/inspector/answers.ts'
import { problemOf } from '../data/api.ts'

interface Page<T> {
  readonly items: readonly T[]
  readonly cursor: string | null
}

export interface Paged<T> {
  readonly items: readonly T[]
  readonly isLoading: boolean
  readonly isWhole: boolean
  readonly problem: ErrorAnswer | null
  readonly more: () => void
}

/** How often the first page is read again while the tab is in view, in milliseconds. */
const LOOK_MS = 3000

/**
 * Pages that come as the reader scrolls. It begins anew when a dependency is another one.
 * @param renew puts the first page, as it is now, before what was read behind it; without it, what was read stays
 */
export function usePaged<T>(
  read: (cursor: string, signal: AbortSignal) => Promise<Page<T>>,
  dependencies: readonly unknown[],
  renew?: (items: readonly T[], first: readonly T[]) => readonly T[],
): Paged<T> {
  const [, redraw] = useReducer((number: number, _action: 'redraw') => number + 1, 0)
  const state = useRef<State<T>>(newState())
  useEffect(() => {
    // The old items stay until the new ones come.
    const begun = newState<T>(state.current.items)
    state.current = begun
    void load(begun, read, () => redraw('redraw'))
    const timer = setInterval(() => {
      if (renew !== undefined && !document.hidden) void look(begun, read, renew, () => redraw('redraw'))
    }, LOOK_MS)
    return () => {
      clearInterval(timer)
      begun.controller.abort()
    }
  }, dependencies)
  const { items, isLoading, isWhole, problem } = state.current
  const more = (): void => {
    if (!state.current.isLoading && !state.current.isWhole) void load(state.current, read, () => redraw('redraw'))
  }
  return { items, isLoading, isWhole, problem, more }
}

interface State<T> {
  items: readonly T[]
  cursor: string
  isFirst: boolean
  isLoading: boolean
  isWhole: boolean
  problem: ErrorAnswer | null
  readonly controller: AbortController
}

function newState<T>(items: readonly T[] = []): State<T> {
  const controller = new AbortController()
  return { items, cursor: '', isFirst: true, isLoading: true, isWhole: false, problem: null, controller }
}

/** A page may be empty, so it goes on until there is something new. */
async function load<T>(
  state: State<T>,
  read: (cursor: string, signal: AbortSignal) => Promise<Page<T>>,
  changed: () => void,
): Promise<void> {
  state.isLoading = true
  state.problem = null
  changed()
  const { signal } = state.controller
  try {
    for (let isEmpty = true; isEmpty && !state.isWhole;) {
      const { items, cursor } = await read(state.cursor, signal)
      if (signal.aborted) return
      isEmpty = items.length === 0
      if (!isEmpty || cursor === null) {
        state.items = state.isFirst ? items : [...state.items, ...items]
        state.isFirst = false
      }
      state.cursor = cursor ?? ''
      state.isWhole = cursor === null
    }
  } catch (error) {
    state.problem = problemOf(error)
  }
  state.isLoading = false
  if (!signal.aborted) changed()
}

/** If it fails, the next look may not. */
async function look<T>(
  state: State<T>,
  read: (cursor: string, signal: AbortSignal) => Promise<Page<T>>,
  renew: (items: readonly T[], first: readonly T[]) => readonly T[],
  changed: () => void,
): Promise<void> {
  if (state.isFirst || state.isLoading) return
  const first = await read('', state.controller.signal).catch(() => null)
  // A page that came meanwhile belongs behind what this one was to replace.
  if (first === null || state.isLoading || state.controller.signal.aborted) return
  const items = first.cursor === null ? first.items : renew(state.items, first.items)
  if (JSON.stringify(items) === JSON.stringify(state.items)) return
  state.items = items
  state.isWhole ||= first.cursor === null
  changed()
}
