import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks'
import { Heights } from './heights.ts'

/** What a parent can ask of the list. */
export interface WindowedHandle {
  /** Brings a row to the top, and focuses the first thing in it that can have focus. */
  show(index: number, options?: { focus?: boolean }): void
  showEnd(): void
  /** The row at the top. */
  readonly first: number
}

interface Props {
  readonly count: number
  /** The height of a row that was not shown yet, in pixels. */
  readonly guess: number
  readonly label: string
  /** `list` for list items, `feed` for articles. The rows have the matching role. */
  readonly role: 'list' | 'feed'
  readonly class?: string
  /** Whether it is part of something larger, not a region of the page. */
  readonly isPart?: boolean
  /** Stays at the end while the list grows there. */
  readonly follows?: boolean
  readonly before?: ComponentChildren
  readonly after?: ComponentChildren
  readonly row: (index: number) => VNode
  readonly handle?: (handle: WindowedHandle) => void
  /** Called when the end comes into view. */
  readonly onEnd?: () => void
}

/** How far beyond the view rows are kept, in pixels. */
const MARGIN = 600
/** How near to the end counts as the end. */
const NEAR = 40

/** A list of any length, of which only the rows in view are in the document. Rows may have any height. */
export function Windowed({
  count,
  guess,
  label,
  role,
  follows = false,
  isPart = false,
  before,
  after,
  row,
  handle,
  onEnd,
  ...rest
}: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const space = useRef<HTMLDivElement>(null)
  const [heights] = useState(() => new Heights(guess))
  const [view, setView] = useState({ top: 0, height: 800 })
  const [, redraw] = useReducer((number: number, _action: 'redraw') => number + 1, 0)
  // The row at the top and how far it is scrolled: it stays where it is when rows above it turn out higher.
  const anchor = useRef({ index: 0, offset: 0, isAtEnd: false })
  const focused = useRef(-1)
  const latest = useRef(count)
  latest.current = count

  const read = (): void => {
    const [box, list] = [scroller.current, space.current]
    if (box === null || list === null) return
    const top = box.scrollTop - list.offsetTop
    const index = heights.rowAt(top, latest.current)
    const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - NEAR
    anchor.current = { index, offset: top - heights.top(index), isAtEnd }
    setView(before =>
      before.top === top && before.height === box.clientHeight ? before : { top, height: box.clientHeight },
    )
    if (isAtEnd) onEnd?.()
  }
  const restore = (): void => {
    const [box, list] = [scroller.current, space.current]
    if (box === null || list === null) return
    const { index, offset, isAtEnd } = anchor.current
    list.style.height = `${heights.top(latest.current)}px`
    const top = follows && isAtEnd ? box.scrollHeight : list.offsetTop + heights.top(index) + offset
    if (Math.abs(box.scrollTop - top) > 0.5 && (index > 0 || offset > 0 || isAtEnd)) box.scrollTop = top
  }

  const [observer] = useState(
    () =>
      new ResizeObserver(entries => {
        let isOther = false
        for (const { target } of entries) {
          if (!(target instanceof HTMLElement) || !target.isConnected) continue
          const index = Number(target.dataset.row)
          if (heights.set(index, target.getBoundingClientRect().height)) isOther = true
        }
        if (!isOther) return
        restore()
        redraw('redraw')
      }),
  )
  useEffect(() => () => observer.disconnect(), [observer])
  useLayoutEffect(() => {
    restore()
    read()
  }, [count])
  useEffect(() => {
    const onResize = new ResizeObserver(read)
    if (scroller.current !== null) onResize.observe(scroller.current)
    return () => onResize.disconnect()
  }, [])
  useEffect(() => {
    const show = (index: number, { focus = false } = {}): void => {
      anchor.current = { index, offset: 0, isAtEnd: false }
      const [box, list] = [scroller.current, space.current]
      if (box === null || list === null) return
      box.scrollTop = list.offsetTop + heights.top(index)
      read()
      anchor.current = { index, offset: 0, isAtEnd: false }
      if (focus)
        requestAnimationFrame(() =>
          box
            .querySelector<HTMLElement>(`[data-row="${index}"] [tabindex], [data-row="${index}"] a`)
            ?.focus({ preventScroll: true }),
        )
    }
    handle?.({
      show,
      showEnd: () => {
        anchor.current = { ...anchor.current, isAtEnd: true }
        if (scroller.current !== null) scroller.current.scrollTop = scroller.current.scrollHeight
      },
      get first() {
        return anchor.current.index
      },
    })
  }, [])

  const from = count === 0 ? 0 : heights.rowAt(view.top - MARGIN, count)
  const to = count === 0 ? 0 : heights.rowAt(view.top + view.height + MARGIN, count) + 1
  const shown = Array.from({ length: to - from }, (_, place) => from + place)
  // A row with the focus stays, or the focus would be lost.
  const kept = focused.current
  if (kept >= 0 && kept < from) shown.unshift(kept)
  if (kept >= to && kept < count) shown.push(kept)

  return (
    <div
      ref={scroller}
      class={`windowed ${rest.class ?? ''}`}
      onScroll={read}
      tabIndex={0}
      role={isPart ? 'group' : 'region'}
      aria-label={label}
    >
      {before}
      <div
        ref={space}
        class="windowed-rows"
        role={role}
        aria-label={label}
        style={{ height: `${heights.top(count)}px` }}
        onFocusIn={event => {
          const row = event.target instanceof Element ? event.target.closest('[data-row]') : null
          focused.current = row instanceof HTMLElement ? Number(row.dataset.row) : -1
        }}
        onFocusOut={() => {
          focused.current = -1
        }}
      >
        {shown.map(index => (
          <Row
            key={index}
            index={index}
            top={heights.top(index)}
            observer={observer}
            isList={role === 'list'}
            count={count}
          >
            {row(index)}
          </Row>
        ))}
      </div>
      {after}
    </div>
  )
}

interface RowProps {
  readonly index: number
  readonly top: number
  readonly count: number
  readonly isList: boolean
  readonly observer: ResizeObserver
  readonly children: ComponentChildren
}

function Row({ index, top, count, isList, observer, children }: RowProps) {
  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const { current } = box
    if (current === null) return undefined
    observer.observe(current)
    return () => observer.unobserve(current)
  }, [observer])
  const place = isList ? { role: 'listitem' as const, 'aria-setsize': count, 'aria-posinset': index + 1 } : {}
  return (
    <div ref={box} class="windowed-row" data-row={index} style={{ top: `${top}px` }} {...place}>
      {children}
    </div>
  )
}
