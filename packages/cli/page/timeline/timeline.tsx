import { printableLine } from '@turnstore/core'
import { useMemo, useState } from 'preact/hooks'
import { linkTo } from '../data/place.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Problem } from '../widgets/small.tsx'
import { axisTime, counted, duration, longTime } from '../widgets/times.ts'
import { Windowed } from '../widgets/windowed.tsx'
import { type Scale, scaleOf } from './scale.ts'
import { useSpans } from './use-spans.ts'

/** Each turn as a bar, drawn to scale. */
export function Timeline({ model }: { readonly model: SessionModel }) {
  const { spans, isWhole, problem } = useSpans(model)
  const [isShort, setShort] = useState(false)
  const scale = useMemo(() => scaleOf(spans, Date.now(), isShort), [spans, isShort])
  const known = scale.stretches.filter(stretch => stretch !== null)
  const [first, last] = [Math.min(...ends(known, 'start')), Math.max(...ends(known, 'end'))]
  return (
    <Windowed
      class="timeline"
      label="Timeline"
      role="list"
      count={spans.length}
      guess={28}
      before={
        <div class="timeline-head">
          {problem !== null && <Problem problem={problem} />}
          <div class="timeline-facts">
            <p>
              {known.length === 0
                ? isWhole && 'No turn of this session has a time.'
                : `${duration(last - first)} from ${longTime(iso(first))}`}
            </p>
            <label class="check">
              <input type="checkbox" checked={isShort} onChange={event => setShort(event.currentTarget.checked)} />
              Shorten quiet times
            </label>
          </div>
          {known.length > 0 && <Axis scale={scale} isDays={last - first > 86_400_000} />}
        </div>
      }
      row={index => {
        const span = spans[index]
        const stretch = scale.stretches[index]
        if (span === undefined) return <></>
        const took = stretch === null || stretch === undefined ? null : stretch.end - stretch.start
        const status = printableLine(span.status)
        const label = `Turn ${index + 1}, ${status}${took === null ? '' : `, ${duration(took)}`}`
        return (
          <a
            class="span"
            href={linkTo({ turn: span.turnId, view: 'conversation' })}
            title={`${label}${span.startedAt === '' ? '' : `, ${longTime(span.startedAt)}`}`}
          >
            <span class="span-number">
              <span class="visually-hidden">Turn </span>
              {(index + 1).toLocaleString('en')}
              <span class="visually-hidden">, {status}, </span>
            </span>
            <span class="span-track">
              <Lines scale={scale} />
              {stretch !== null && stretch !== undefined && <Bar scale={scale} {...stretch} status={span.status} />}
            </span>
            <span class="span-facts">
              {took === null ? 'no time' : duration(took)}
              {span.toolCalls > 0 && <span class="faint"> · {counted(span.toolCalls, 'call')}</span>}
            </span>
          </a>
        )
      }}
    />
  )
}

function Bar({
  scale,
  start,
  end,
  status,
}: {
  readonly scale: Scale
  readonly start: number
  readonly end: number
  readonly status: string
}) {
  const [left, right] = [scale.at(start), scale.at(end)]
  const kind = /^(?:error|running|cancelled|interrupted)$/.test(status) ? status : 'success'
  return <span class={`span-bar span-${kind}`} style={{ left: `${left * 100}%`, width: `${(right - left) * 100}%` }} />
}

const ticks = [0, 0.25, 0.5, 0.75, 1]

function Axis({ scale, isDays }: { readonly scale: Scale; readonly isDays: boolean }) {
  return (
    <div class="span axis" aria-hidden="true">
      <span />
      <span class="span-track">
        {ticks.map(place => (
          <span key={place} class="tick" style={{ left: `${place * 100}%` }}>
            {axisTime(scale.momentAt(place), isDays)}
          </span>
        ))}
      </span>
      <span />
    </div>
  )
}

/** Of the axis, and where quiet times are cut short. */
function Lines({ scale }: { readonly scale: Scale }) {
  // More cuts say nothing.
  const cuts = scale.cuts.length > 60 ? [] : scale.cuts
  return (
    <>
      {ticks.slice(1, -1).map(place => (
        <span key={place} class="span-line" style={{ left: `${place * 100}%` }} />
      ))}
      {cuts.map(ms => (
        <span key={ms} class="span-cut" style={{ left: `${scale.at(ms) * 100}%` }} />
      ))}
    </>
  )
}

function ends(stretches: readonly { start: number; end: number }[], name: 'start' | 'end'): number[] {
  // Not one argument for each of a hundred thousand.
  const values = stretches.map(stretch => stretch[name])
  return values.length === 0
    ? []
    : [values.reduce((one, other) => (name === 'start' ? Math.min(one, other) : Math.max(one, other)))]
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
